# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The installed CMake package: find_package(Hone), then Hone::HoneDriver and the other
# libraries. include/hone is the stable interface; include/hone-cpp holds the C++
# headers, without promise.
include(CMakePackageConfigHelpers)

set(package "${CMAKE_INSTALL_LIBDIR}/cmake/Hone")
get_property(targets GLOBAL PROPERTY HONE_INSTALL_TARGETS)
install(TARGETS hone_mlir ${targets} EXPORT HoneTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT HoneTargets NAMESPACE Hone:: DESTINATION "${package}")
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/HoneConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/HoneConfig.cmake" INSTALL_DESTINATION "${package}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/HoneConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/HoneConfig.cmake"
  "${PROJECT_BINARY_DIR}/HoneConfigVersion.cmake" DESTINATION "${package}")

install(DIRECTORY runtime/include/ compiler/include/
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
set(cpp "${CMAKE_INSTALL_INCLUDEDIR}/hone-cpp")
install(DIRECTORY dialects passes compiler DESTINATION "${cpp}"
  FILES_MATCHING PATTERN "*.h" PATTERN "*.td"
  PATTERN "include" EXCLUDE PATTERN "Python" EXCLUDE)
install(DIRECTORY "${PROJECT_BINARY_DIR}/dialects" "${PROJECT_BINARY_DIR}/passes"
  DESTINATION "${cpp}" FILES_MATCHING PATTERN "*.inc" PATTERN "CMakeFiles" EXCLUDE)
