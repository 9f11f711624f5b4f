// Iteration over the instruction table, for the coverage list, the disassembler and random tests.
// The rows live for the whole process; their order is that of isa/rows.h.
#pragma once

#include "features.h"
#include "row.h"

namespace rz {

/// All rows of the table, `row_count()` of them.
const Row* rows();
unsigned row_count();

/// Position of a row in the table. `row` must come from the table.
unsigned row_number(const Row& row);

/// True if ordinary programs may execute the row: not privileged, no port I/O, no control transfer,
/// nothing whose result depends on the machine rather than on the operands.
bool user_computation(const Row& row);

}  // namespace rz
