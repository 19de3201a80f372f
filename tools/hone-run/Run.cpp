// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone run`: one run, whose outputs are printed, written and compared.
#include "tools/hone-run/Expectations.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>
#include <sys/stat.h>

using namespace hone::run;

namespace {

void makeFolders(const std::string &path) {
  for (size_t at = 1; at <= path.size(); ++at)
    if ((at == path.size() || path[at] == '/') &&
        mkdir(path.substr(0, at).c_str(), 0777) != 0 && errno != EEXIST)
      throw Failure{74, "cannot make the folder '" + path +
                            "': " + strerror(errno)};
}

/// Gives every output a file name of its own.
class Writer {
public:
  explicit Writer(std::string folder) : folder(std::move(folder)) {
    makeFolders(this->folder);
  }

  /// Returns the file's path.
  std::string write(const OutputTensor &output) {
    std::string name = fileName(output.name), unique = name;
    for (int i = 1; !taken.insert(unique).second; ++i)
      unique = name + "." + std::to_string(i);
    std::string path = folder + "/" + unique + ".npy";
    writeNpy(path, *output.tensor);
    return path;
  }

private:
  std::string folder;
  std::set<std::string> taken;
};

} // namespace

int hone::run::runModel(const Options &options) {
  Model model(options);
  Expectations expectations(options, model.descriptor());
  model.setInputs(options);
  model.run();
  std::optional<Writer> writer;
  if (!options.outputDir.empty())
    writer.emplace(options.outputDir);
  std::vector<OutputTensor> tensors = tensorsOf(model);
  for (const OutputTensor &output : tensors) {
    printf("%s: %s", shown(output.name).c_str(),
           describe(*output.tensor).c_str());
    if (writer)
      printf(" -> %s", shown(writer->write(output)).c_str());
    printf("\n");
    if (options.print)
      printf("%s\n", tableOf(*output.tensor).c_str());
  }
  if (options.expect.empty())
    return 0;
  if (int32_t different = expectations.compare(tensors))
    throw Failure{1, options.model + ": " + std::to_string(different) + " of " +
                         std::to_string(expectations.count()) +
                         " outputs are not as expected"};
  return 0;
}
