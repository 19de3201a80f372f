// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The generated operation definitions are compiled in several files; each
// registers its part.
#ifndef HONE_DIALECTS_GRAPH_OPSHARDS_H
#define HONE_DIALECTS_GRAPH_OPSHARDS_H

namespace hone::graph {
class GraphDialect;
void registerGraphDialectOperations(GraphDialect *dialect);
void registerGraphDialectOperations0(GraphDialect *dialect);
void registerGraphDialectOperations1(GraphDialect *dialect);
void registerGraphDialectOperations2(GraphDialect *dialect);
void registerGraphDialectOperations3(GraphDialect *dialect);
} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_OPSHARDS_H
