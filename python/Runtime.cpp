// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The extension module that runs compiled models.
#include "python/Errors.h"
#include "python/Model.h"
#include "python/Text.h"
#include "python/Values.h"

#include "hone/custom.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>

namespace nb = nanobind;
using namespace hone::python;

namespace {

/// One input or output as the package shows it: name, kind, type, shape, dtype,
/// whether a run may omit it for its default value. Free dimensions are their
/// names, those that depend on data None.
nb::object describe(const hone_descriptor &model, const hone_value_info &info) {
  static const char *const kinds[] = {"none", "tensor", "sequence", "optional",
                                      "map"};
  nb::object shape = nb::none();
  if (info.rank >= 0) {
    nb::list dims;
    for (int32_t i = 0; i < info.rank; ++i) {
      int64_t dim = info.dims[i];
      if (dim >= 0)
        dims.append(dim);
      else if (dim != HONE_DIM_UNKNOWN)
        dims.append(model.free_dim_names[HONE_DIM_FREE_INDEX(dim)]);
      else if (info.dim_names && info.dim_names[i])
        dims.append(info.dim_names[i]);
      else
        dims.append(nb::none());
    }
    shape = nb::tuple(dims);
  }
  const char *kind =
      info.kind >= 0 && info.kind <= HONE_KIND_MAP ? kinds[info.kind] : "none";
  return nb::make_tuple(info.name, kind, typeName(info.type), shape,
                        dtypeOf(info.type), info.has_default != 0);
}

nb::list describeAll(const hone_descriptor &model, const hone_value_info *infos,
                     int32_t count) {
  nb::list list;
  for (int32_t i = 0; i < count; ++i)
    list.append(describe(model, infos[i]));
  return list;
}

/// What `hone info` shows, apart from inputs and outputs.
nb::dict describeModel(const hone_descriptor &model) {
  nb::list memory, rounded, levels;
  nb::dict chips; // several images may be for one
  if (model.memory & HONE_MEMORY_PLANNED)
    memory.append("planned");
  if (model.memory & HONE_MEMORY_BOUNDED)
    memory.append("bounded");
  if (model.memory & HONE_MEMORY_UNBOUNDED)
    memory.append("unbounded");
  if (model.plan & HONE_PLAN_BF16)
    rounded.append("bf16");
  if (model.plan & HONE_PLAN_F16)
    rounded.append("f16");
  for (int64_t i = 0; i < model.level_count; ++i)
    levels.append(model.levels[i].name);
  for (int64_t i = 0; model.device && i < model.device->image_count; ++i)
    chips[model.device->images[i].chip] = nb::none();
  nb::dict metadata;
  for (int64_t i = 0; i < model.metadata_count; ++i)
    metadata[textOf(model.metadata[2 * i])] = textOf(model.metadata[2 * i + 1]);
  nb::dict info;
  info["name"] = textOf(model.name);
  info["producer"] = model.producer;
  info["metadata"] = metadata;
  info["memory"] = nb::tuple(memory);
  info["arena_bytes"] =
      model.slot_offsets ? nb::cast(model.arena_bytes) : nb::none();
  info["weight_bytes"] = model.weight_bytes;
  info["rounded_to"] = nb::tuple(rounded);
  info["levels"] = nb::tuple(levels);
  info["chips"] = nb::tuple(chips.keys());
  return info;
}

/// A model until it is closed. Runs and results on a device keep it open.
class ModelHandle {
public:
  explicit ModelHandle(std::shared_ptr<Model> model)
      : model(std::move(model)) {}
  std::shared_ptr<Model> get() const {
    if (!model)
      throw runValueError("the model is closed");
    return model;
  }
  bool isClosed() const { return !model; }
  void close() { model.reset(); }

private:
  std::shared_ptr<Model> model;
};

/// A run to be done, on any thread, whether or not the model is closed by then.
struct PreparedRun {
  std::shared_ptr<Model> model;
  std::shared_ptr<Model::Call> call;
};

} // namespace

NB_MODULE(_runtime, m) {
  // A daemon thread may hold a model when the interpreter ends.
  nb::set_leak_warnings(false);
  translateErrors();
  m.attr("__version__") = HONE_VERSION;
  m.attr("MAX_RANK") = HONE_MAX_RANK;
  m.attr("CUSTOM_VERSION") = HONE_CUSTOM_VERSION;
  const size_t sizes[] = {
      sizeof(hone_tensor),          sizeof(hone_string),
      sizeof(hone_attribute),       sizeof(hone_custom_call),
      sizeof(hone_custom_operator), sizeof(hone_custom_table)};
  m.attr("CUSTOM_SIZES") =
      std::vector<size_t>(std::begin(sizes), std::end(sizes));
  m.def("dtype", &dtypeOf, nb::arg("type"));
  m.def("element_type", &typeOf, nb::arg("dtype"));

  nb::class_<DeviceTensor>(
      m, "DeviceTensor",
      "A tensor on a CUDA device, made by a run. torch.from_dlpack, "
      "cupy.from_dlpack and\n"
      "others take it in place, and so does Model.run. It is complete: no "
      "stream needs to wait\n"
      "for it. Its memory lives as long as it or what was made from it; "
      "freeing "
      "it waits for the\n"
      "device.")
      .def_ro("shape", &DeviceTensor::shape)
      .def_ro("dtype", &DeviceTensor::dtype, "numpy's name for the elements")
      .def_prop_ro("device",
                   [](const DeviceTensor &self) {
                     return self.array.attr("__dlpack_device__")()[1];
                   })
      .def(
          "__dlpack__",
          [](const DeviceTensor &self, nb::args arguments, nb::kwargs options) {
            return self.array.attr("__dlpack__")(*arguments, **options);
          })
      .def("__dlpack_device__",
           [](const DeviceTensor &self) {
             return self.array.attr("__dlpack_device__")();
           })
      .def("__repr__", [](const DeviceTensor &self) {
        return nb::str("hone.DeviceTensor(shape={}, dtype={}, device={})")
            .format(self.shape, self.dtype,
                    self.array.attr("__dlpack_device__")()[1]);
      });

  nb::class_<PreparedRun>(m, "PreparedRun").def("run", [](PreparedRun &self) {
    return self.model->run(*self.call);
  });

  nb::class_<ModelHandle>(m, "Model")
      .def(
          "__init__",
          [](ModelHandle *self, nb::str path, nb::str symbol, int threads,
             nb::str level, int device, bool verify, uintptr_t operators) {
            new (self) ModelHandle(std::make_shared<Model>(
                bytesOf(path), bytesOf(symbol), threads, bytesOf(level), device,
                verify,
                reinterpret_cast<const hone_custom_table *>(operators)));
          },
          nb::arg("path"), nb::arg("symbol"), nb::arg("threads"),
          nb::arg("level"), nb::arg("device"), nb::arg("verify"),
          nb::arg("operators"))
      .def(
          "run",
          [](const ModelHandle &self, nb::dict inputs, nb::object onDevice,
             nb::dict out) {
            return self.get()->run(std::move(inputs), std::move(onDevice),
                                   std::move(out));
          },
          nb::arg("inputs"), nb::arg("on_device").none(), nb::arg("out"))
      .def(
          "prepare",
          [](const ModelHandle &self, nb::dict inputs, nb::object onDevice) {
            std::shared_ptr<Model> model = self.get();
            auto call = model->prepare(std::move(inputs), std::move(onDevice));
            return PreparedRun{std::move(model), std::move(call)};
          },
          nb::arg("inputs"), nb::arg("on_device").none())
      .def("close", &ModelHandle::close)
      .def_prop_ro("closed", &ModelHandle::isClosed)
      .def("stats", [](const ModelHandle &self) { return self.get()->stats(); })
      .def("kernels",
           [](const ModelHandle &self) { return self.get()->kernels(); })
      .def(
          "profile",
          [](const ModelHandle &self, nb::dict inputs, int runs,
             int64_t events) {
            return self.get()->profile(std::move(inputs), runs, events);
          },
          nb::arg("inputs"), nb::arg("runs"), nb::arg("events"))
      .def("info",
           [](const ModelHandle &self) {
             return describeModel(self.get()->descriptor());
           })
      .def_prop_ro("inputs",
                   [](const ModelHandle &self) {
                     std::shared_ptr<Model> open = self.get();
                     const hone_descriptor &model = open->descriptor();
                     return describeAll(model, model.inputs, model.input_count);
                   })
      .def_prop_ro("outputs", [](const ModelHandle &self) {
        std::shared_ptr<Model> open = self.get();
        const hone_descriptor &model = open->descriptor();
        return describeAll(model, model.outputs, model.output_count);
      });
}
