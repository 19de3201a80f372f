// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone run`: one run, outputs to .npy files.
#include "tools/hone-run/Model.h"

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
struct Writer {
  std::string folder;
  std::set<std::string> taken;

  std::string pathFor(std::string name) {
    for (char &c : name)
      if (c == '/' || c == '\0')
        c = '_';
    std::string unique = name;
    for (int i = 1; !taken.insert(unique).second; ++i)
      unique = name + "." + std::to_string(i);
    return folder + "/" + unique + ".npy";
  }

  void writeTensor(const std::string &name, const hone_tensor &tensor) {
    if (folder.empty()) {
      printf("%s: %s\n", shown(name).c_str(), describe(tensor).c_str());
      return;
    }
    std::string path = pathFor(name);
    writeNpy(path, tensor);
    printf("%s: %s -> %s\n", shown(name).c_str(), describe(tensor).c_str(),
           shown(path).c_str());
  }

  void write(const std::string &name, const hone_value &value) {
    switch (value.kind) {
    case HONE_KIND_TENSOR:
      return writeTensor(name, value.as.tensor);
    case HONE_KIND_SEQUENCE:
      for (int64_t i = 0; i < value.as.sequence->count; ++i)
        write(name + "." + std::to_string(i), value.as.sequence->elements[i]);
      return;
    case HONE_KIND_OPTIONAL:
      if (value.as.optional.value)
        write(name, *value.as.optional.value);
      return;
    case HONE_KIND_MAP:
      writeTensor(name + ".keys", *value.as.map.keys);
      writeTensor(name + ".values", *value.as.map.values);
      return;
    default:
      return;
    }
  }
};

} // namespace

int hone::run::runModel(const Options &options) {
  Model model(options);
  model.setInputs(options);
  model.run();
  Writer writer{options.outputDir, {}};
  if (!writer.folder.empty())
    makeFolders(writer.folder);
  for (int32_t i = 0; i < model.descriptor().output_count; ++i)
    writer.write(model.descriptor().outputs[i].name, model.output(i));
  return 0;
}
