// Access to the instruction table; see list.h.
#include "list.h"

#include "rows.h"

namespace rz {

const Row* rows() { return isa::kRows.data(); }
unsigned row_count() { return static_cast<unsigned>(isa::kRows.size()); }
unsigned row_number(const Row& row) { return static_cast<unsigned>(&row - isa::kRows.data()); }

bool user_computation(const Row& row) {
  if (row.attrs & kCpl0) return false;
  switch (row.sem) {
    case Sem::kIdentity:
    case Sem::kX87Identity:
    case Sem::kNop:
    case Sem::kIncDecShort:
    case Sem::kMovOffs:
    case Sem::kLea:
    case Sem::kMovImm:
    case Sem::kBitTest:
    case Sem::kPushReg:
    case Sem::kPushImm:
    case Sem::kPushRm:
    case Sem::kPopReg:
    case Sem::kPopRm:
    case Sem::kLeave:
    case Sem::kClc:
    case Sem::kStc:
    case Sem::kCmc:
    case Sem::kCld:
    case Sem::kStd:
    case Sem::kLahf:
    case Sem::kSahf: return true;
    case Sem::kHelper:
      switch (row.helper) {
        case Helper::k_movs:
        case Helper::k_stos:
        case Helper::k_lods:
        case Helper::k_scas:
        case Helper::k_cmps:
        case Helper::k_enter:
        case Helper::k_bound:
        case Helper::k_daa:
        case Helper::k_das:
        case Helper::k_aaa:
        case Helper::k_aas:
        case Helper::k_aam:
        case Helper::k_aad:
        case Helper::k_xlat:
        case Helper::k_salc:
        case Helper::k_ldmxcsr:
        case Helper::k_fwait:
        case Helper::k_maskmov:
        case Helper::k_gather:
        case Helper::k_vmaskmov:
        case Helper::k_pusha:
        case Helper::k_popa: return true;
        default: return false;
      }
    default: return false;
  }
}

}  // namespace rz
