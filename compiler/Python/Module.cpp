// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The extension module behind the Python package: compiles, and runs compiled
// models.
#include "compiler/Python/Compile.h"
#include "compiler/Python/Model.h"
#include "compiler/Python/Values.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

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

} // namespace

NB_MODULE(_hone, m) {
  // A daemon thread may hold a model when the interpreter ends.
  nb::set_leak_warnings(false);
  nb::exception<CompileError>(m, "CompileError", PyExc_RuntimeError);
  nb::exception<RunError>(m, "RunError", PyExc_RuntimeError);

  m.def("compile", &compile, nb::arg("model"), nb::arg("output"),
        nb::arg("target"), nb::arg("cpu"), nb::arg("gpu"), nb::arg("dims"),
        nb::arg("overrides").none(), nb::arg("precision"), nb::arg("threads"),
        nb::arg("symbol"), nb::arg("tuned"));
  m.def("check", &check, nb::arg("model"), nb::arg("dims"),
        nb::arg("overrides").none());

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
      .def("__dlpack__",
           [](const DeviceTensor &self, nb::kwargs options) {
             return self.array.attr("__dlpack__")(**options);
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

  nb::class_<Model>(m, "Model")
      .def(nb::init<const std::string &, const std::string &, int,
                    const std::string &, int, bool>(),
           nb::arg("path"), nb::arg("symbol"), nb::arg("threads"),
           nb::arg("level"), nb::arg("device"), nb::arg("verify"))
      .def("run", &Model::run, nb::arg("inputs"), nb::arg("on_device").none(),
           nb::arg("out"))
      .def("stats", &Model::stats)
      .def("kernels", &Model::kernels)
      .def("profile", &Model::profile, nb::arg("inputs"), nb::arg("runs"),
           nb::arg("events"))
      .def_prop_ro("inputs",
                   [](const Model &self) {
                     const hone_descriptor &model = self.descriptor();
                     return describeAll(model, model.inputs, model.input_count);
                   })
      .def_prop_ro("outputs", [](const Model &self) {
        const hone_descriptor &model = self.descriptor();
        return describeAll(model, model.outputs, model.output_count);
      });
}
