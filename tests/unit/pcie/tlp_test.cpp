#include "pcie/tlp.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

namespace ioasim::pcie {
namespace {

constexpr std::uint64_t high = 1ull << 32;

Tlp tlp(TlpKind kind, bool pasid = false) { return {.kind = kind, .has_pasid = pasid}; }

TEST(Tlp, ClassesAreThoseOfTheOrderingTable) {
  EXPECT_EQ(tlp(TlpKind::memory_write).request_class(), TlpClass::posted);
  EXPECT_EQ(tlp(TlpKind::memory_read).request_class(), TlpClass::non_posted);
  EXPECT_EQ(tlp(TlpKind::config_read).request_class(), TlpClass::non_posted);
  EXPECT_EQ(tlp(TlpKind::config_write).request_class(), TlpClass::non_posted);
}

TEST(Tlp, CompletionStatusIsEncodedAsInTheHeader) {
  EXPECT_EQ(static_cast<int>(CompletionStatus::successful), 0);
  EXPECT_EQ(static_cast<int>(CompletionStatus::unsupported_request), 1);
  EXPECT_EQ(static_cast<int>(CompletionStatus::completer_abort), 4);
}

// Invariant 117, and the overheads of the closed forms: 24 B for a write or a read with a 64-bit
// address, 20 B for a completion, 4 B more for a PASID prefix.
TEST(Tlp, WireBytesAreFramingHeaderPrefixAndPayload) {
  struct Row {
    TlpKind kind;
    std::uint64_t address;
    std::uint64_t bytes;
    bool pasid;
    std::uint64_t wire;
  };
  const Row table[]{{TlpKind::memory_write, high, 256, false, 280},
                    {TlpKind::memory_write, high, 256, true, 284},
                    {TlpKind::memory_write, 0, 256, false, 276},
                    {TlpKind::memory_write, high - 256, 256, false, 276},
                    {TlpKind::memory_write, ~0ull - 3, 4, false, 28},
                    {TlpKind::memory_write, 0, 1, false, 24},  // one dword
                    {TlpKind::memory_write, 0, 5, false, 28},
                    {TlpKind::memory_write, high, 4096, false, 4120},
                    {TlpKind::memory_read, high, 4096, false, 24},
                    {TlpKind::memory_read, high, 64, true, 28},
                    {TlpKind::memory_read, 0x1000, 64, false, 20},
                    {TlpKind::config_read, 0x100, 4, false, 20},
                    {TlpKind::config_write, 0x100, 4, false, 24}};
  for (const auto& row : table) {
    EXPECT_EQ(request_wire_bytes(tlp(row.kind, row.pasid), row.address, row.bytes), row.wire)
        << std::hex << row.address << std::dec << ' ' << row.bytes;
  }
  EXPECT_EQ(framing_bytes + completion_header_bytes, 20u);
  EXPECT_EQ(dllp_bytes, 8u);
}

// The length field counts dwords and byte enables cut the first and the last: a payload is as many
// dwords as it touches, wherever in them it begins.
TEST(Tlp, AnUnalignedWriteCarriesEveryDwordItTouches) {
  for (std::uint64_t address = 0; address < 8; ++address) {
    for (std::uint64_t bytes = 1; bytes <= 64; ++bytes) {
      std::uint64_t touched = 0;
      for (auto at = address; at < address + bytes; ++at) {
        if (at == address || at % 4 == 0) ++touched;
      }
      ASSERT_EQ(request_wire_bytes(tlp(TlpKind::memory_write), address, bytes), 20 + 4 * touched)
          << bytes << " bytes at " << address;
    }
  }
}

// PCIe 2.6.1: 16 bytes a credit, rounded up.
TEST(Tlp, DataCreditsCountSixteenBytes) {
  for (std::uint64_t bytes = 0; bytes <= 4096; ++bytes) {
    unsigned credits = 0;
    for (std::uint64_t at = 0; at < bytes; at += 16) ++credits;
    ASSERT_EQ(data_credits(0, bytes), credits);
  }
}

std::vector<std::uint64_t> requests(std::uint64_t address, std::uint64_t bytes,
                                    std::uint64_t largest) {
  std::vector<std::uint64_t> pieces;
  while (bytes > 0) {
    const auto piece = request_split(address, bytes, largest);
    pieces.push_back(piece);
    if (piece == 0 || piece > bytes) break;
    address += piece;
    bytes -= piece;
  }
  return pieces;
}

// Invariant 113, for every offset in a page. The number of pieces is that of the largest-sized
// blocks that the transfer touches.
TEST(Tlp, RequestsNeverCrossFourKibibytesNorExceedTheLargest) {
  for (const std::uint64_t largest : {128u, 256u, 512u, 1024u, 2048u, 4096u}) {
    for (std::uint64_t offset = 0; offset < 4096; ++offset) {
      for (const std::uint64_t bytes : {1u, 3u, 64u, 255u, 256u, 257u, 1500u, 4096u, 9000u}) {
        auto at = high + offset;
        const auto end = at + bytes;
        const auto pieces = requests(at, bytes, largest);
        ASSERT_EQ(pieces.size(), (end - 1) / largest - at / largest + 1)
            << bytes << " at " << offset << " by " << largest;
        for (const auto piece : pieces) {
          ASSERT_GT(piece, 0u);
          ASSERT_LE(piece, largest);
          ASSERT_EQ(at / 4096, (at + piece - 1) / 4096);
          at += piece;
        }
        ASSERT_EQ(at, end);
      }
    }
  }
}

struct Split {
  std::uint64_t largest;
  std::uint64_t boundary;
};
constexpr Split splits[]{{64, 64},   {128, 64},  {256, 64},  {512, 64},
                         {128, 128}, {256, 128}, {512, 128}, {4096, 128}};

std::vector<std::uint64_t> completions(std::uint64_t address, std::uint64_t bytes,
                                       const Split& split) {
  std::vector<std::uint64_t> pieces;
  while (bytes > 0) {
    const auto piece = completion_split(address, bytes, split.largest, split.boundary);
    pieces.push_back(piece);
    if (piece == 0 || piece > bytes) break;
    address += piece;
    bytes -= piece;
  }
  return pieces;
}

// Invariant 114, for every offset in a boundary block.
TEST(Tlp, CompletionsEndOnTheBoundaryExceptTheLast) {
  for (const auto& split : splits) {
    for (std::uint64_t offset = 0; offset < split.boundary; ++offset) {
      for (std::uint64_t bytes = 1; bytes <= 4096; bytes += bytes < 300 ? 1 : 61) {
        auto at = 0x10000 + offset;
        const auto end = at + bytes;
        for (const auto piece : completions(at, bytes, split)) {
          ASSERT_GT(piece, 0u);
          ASSERT_LE(piece, split.largest) << bytes << " at " << offset;
          at += piece;
          ASSERT_TRUE(at == end || at % split.boundary == 0) << bytes << " at " << offset;
        }
        ASSERT_EQ(at, end);
      }
    }
  }
}

// n_c = ceil(S / MPS), or ceil(S / RCB) for a port that makes completions of one boundary block.
TEST(Tlp, AlignedReadsTakeTheNumberOfCompletionsOfTheClosedForm) {
  for (const auto& split : splits) {
    for (const std::uint64_t bytes :
         {64u, 128u, 256u, 257u, 320u, 512u, 513u, 1024u, 1500u, 4096u}) {
      const auto count = std::ceil(static_cast<double>(bytes) / static_cast<double>(split.largest));
      EXPECT_EQ(static_cast<double>(completions(0, bytes, split).size()), count)
          << bytes << " by " << split.largest;
    }
  }
}

// A completer fills each completion as far as the boundaries allow: after the first piece, one
// every `largest` bytes.
TEST(Tlp, CompletionsAreAsLongAsTheyMayBe) {
  for (const auto& split : splits) {
    for (std::uint64_t offset = 0; offset < split.boundary; ++offset) {
      auto at = offset;
      const auto pieces = completions(at, 4096, split);
      for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
        ASSERT_GT(pieces[i] + split.boundary, split.largest) << "one more boundary would fit";
        if (i > 0) {
          ASSERT_EQ(pieces[i], split.largest);
        }
        at += pieces[i];
      }
    }
  }
}

}  // namespace
}  // namespace ioasim::pcie
