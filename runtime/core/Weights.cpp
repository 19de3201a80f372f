// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Mapping weights files.
#include "runtime/core/Weights.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace hone;

namespace {

struct Mapping {
  const hone_descriptor *model;
  char *data;
  size_t bytes;
  int64_t shares;
  Mapping *next;
};

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
Mapping *mappings = nullptr;

/// The path of the library that holds an address, in `path`.
struct Holder {
  uintptr_t address;
  char *path;
  size_t capacity;
};

/// dladdr is not in every libc.
int findHolder(dl_phdr_info *info, size_t, void *data) {
  auto &holder = *static_cast<Holder *>(data);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD ||
        holder.address - (info->dlpi_addr + segment.p_vaddr) >= segment.p_memsz)
      continue;
    Text(holder.path, holder.capacity).add("%s", info->dlpi_name);
    return 1;
  }
  return 0;
}

/// Removes path components without effect: the loader adds them, and messages
/// show the path.
void tidy(char *path) {
  char *to = path;
  for (const char *from = path; *from;) {
    if (from[0] == '/' && from[1] == '/')
      from += 1;
    else if (from[0] == '/' && from[1] == '.' && from[2] == '/')
      from += 2;
    else
      *to++ = *from++;
  }
  *to = 0;
}

/// The file's path: a weights file is in the folder of the library that names
/// it.
bool pathBeside(const hone_descriptor &model, char *path, size_t capacity) {
  const char *name = model.weights_file;
  path[0] = 0;
  Holder holder = {reinterpret_cast<uintptr_t>(&model), path, capacity};
  if (name[0] != '/')
    dl_iterate_phdr(findHolder, &holder);
  tidy(path);
  const char *slash = strrchr(path, '/');
  size_t folder = slash ? size_t(slash - path) + 1 : 0;
  if (folder + strlen(name) >= capacity)
    return false;
  strcpy(path + folder, name);
  return true;
}

/// Checks the file's length and its end. The weights themselves are not read.
const char *checkEnd(int file, const hone_descriptor &model) {
  int64_t bytes = model.weight_bytes, end = (bytes + 7) / 8 * 8;
  hone_weights_end found;
  if (lseek(file, 0, SEEK_END) < end + int64_t(sizeof(found)))
    return "is cut short";
  if (pread(file, &found, sizeof(found), end) != ssize_t(sizeof(found)))
    return "cannot be read";
  if (memcmp(found.magic, HONE_WEIGHTS_MAGIC, sizeof(found.magic)) != 0 ||
      found.bytes != uint64_t(bytes) ||
      found.checksum != model.weights_checksum)
    return "belongs to another library: both come from one compilation, and "
           "are "
           "copied together";
  return nullptr;
}

Mapping *mapFile(const hone_descriptor &model, Text &text) {
  char path[4096];
  if (!pathBeside(model, path, sizeof(path))) {
    text.add("the path of the weights file '%s' is too long",
             model.weights_file);
    return nullptr;
  }
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    text.add("cannot open the weights file '%s': %s", path, strerror(errno));
    return nullptr;
  }
  const char *problem = checkEnd(file, model);
  if (problem) {
    text.add("the weights file '%s' %s", path, problem);
    close(file);
    return nullptr;
  }
  size_t bytes = size_t(model.weight_bytes);
  void *data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  auto *mapping = static_cast<Mapping *>(calloc(1, sizeof(Mapping)));
  if (data == MAP_FAILED || !mapping) {
    text.add("cannot map the weights file '%s'", path);
    if (data != MAP_FAILED)
      munmap(data, bytes);
    free(mapping);
    return nullptr;
  }
  *mapping = {&model, static_cast<char *>(data), bytes, 0, nullptr};
  return mapping;
}

} // namespace

int32_t hone::openWeights(const hone_descriptor &model, const char **weights,
                          Text &text) {
  *weights = model.weights;
  if (!model.weights_file || model.weight_bytes == 0)
    return HONE_OK;
  pthread_mutex_lock(&lock);
  Mapping *mapping = mappings;
  while (mapping && mapping->model != &model)
    mapping = mapping->next;
  if (!mapping && (mapping = mapFile(model, text))) {
    mapping->next = mappings;
    mappings = mapping;
  }
  if (mapping) {
    ++mapping->shares;
    *weights = mapping->data;
  }
  pthread_mutex_unlock(&lock);
  return mapping ? HONE_OK : HONE_BAD_MODEL;
}

void hone::closeWeights(const hone_descriptor &model) {
  pthread_mutex_lock(&lock);
  for (Mapping **link = &mappings; *link; link = &(*link)->next) {
    Mapping *mapping = *link;
    if (mapping->model != &model)
      continue;
    if (--mapping->shares == 0) {
      *link = mapping->next;
      munmap(mapping->data, mapping->bytes);
      free(mapping);
    }
    break;
  }
  pthread_mutex_unlock(&lock);
}
