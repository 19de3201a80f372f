// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Forms of machine code.
#ifndef HONE_COMPILER_TARGET_CODEFORM_H
#define HONE_COMPILER_TARGET_CODEFORM_H

namespace hone {

enum class CodeForm { Object, Assembly };

} // namespace hone

#endif // HONE_COMPILER_TARGET_CODEFORM_H
