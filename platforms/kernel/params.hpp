// Parameters of the simulated operating system: how long the parts of its paths take that touch
// no memory of interest, and its policies. Everything else takes the time that its loads, stores,
// flushes and register accesses take.
#pragma once

#include "base/fields.hpp"
#include "base/quantity.hpp"

namespace ioasim::kernel {

struct Params {
  Picoseconds syscall_entry = 70_ns;
  Picoseconds syscall_exit = 50_ns;
  Picoseconds interval_lookup = 40_ns;
  Picoseconds page_fault = 500_ns;
  Picoseconds pin_page = 150_ns;
  Picoseconds unpin_page = 10_ns;
  Picoseconds entry_update = 5_ns;
  Picoseconds spin_pause = 5_ns;
  Picoseconds lock_retry = 20_ns;
  Picoseconds hardware_timeout = 10_ms;
  unsigned queue_order = 1;
  unsigned fault_check_polls = 1;
  Bytes memlock = 8_GiB;
  unsigned mappings_max = 65535;
  bool map_without_device = true;
  bool dma_no_snoop = true;
  bool superpages = true;
  bool transparent_huge_pages = false;
  bool zero_user_pages = true;

  static constexpr auto fields = std::tuple{
      Field{"syscall_entry", &Params::syscall_entry,
            "from the user's instruction to the first line of a system call [model choice]",
            Limits{0_ps, 100'000_ns}},
      Field{"syscall_exit", &Params::syscall_exit,
            "from the last line of a system call back to the user [model choice]",
            Limits{0_ps, 100'000_ns}},
      Field{"interval_lookup", &Params::interval_lookup,
            "one search in the tree of mappings of an address space [model choice]",
            Limits{0_ps, 100'000_ns}},
      Field{"page_fault", &Params::page_fault,
            "first touch of an anonymous page, without clearing it [model choice]",
            Limits{0_ps, 1'000'000_ns}},
      Field{"pin_page", &Params::pin_page,
            "finding and pinning one 4 KiB page; with its page-table entry it makes the 550 "
            "cycles a page of mapping 8 GiB [YZ24]",
            Limits{0_ps, 100'000_ns}},
      Field{"unpin_page", &Params::unpin_page,
            "unpinning one 4 KiB page: 20 cycles a page of unmapping 8 GiB [YZ24]",
            Limits{0_ps, 100'000_ns}},
      Field{"entry_update", &Params::entry_update,
            "building one page-table entry, without its store [model choice, within I-14]",
            Limits{0_ps, 100'000_ns}},
      Field{"spin_pause", &Params::spin_pause,
            "PAUSE in a loop that waits for hardware: 10 cycles [Broadwell]",
            Limits{1_ps, 100'000_ns}},
      Field{"lock_retry", &Params::lock_retry,
            "time between two looks at a lock that is taken [model choice]",
            Limits{1_ps, 100'000_ns}},
      Field{"hardware_timeout", &Params::hardware_timeout,
            "hardware that has not answered a command after this long is given up; Linux waits "
            "10 s [model choice]",
            Limits{1_us, 10'000_ms}},
      Field{"queue_order", &Params::queue_order,
            "size of an invalidation queue: 128 descriptors times two to this power [Linux: 256]",
            Limits{0u, 7u}},
      Field{"fault_check_polls", &Params::fault_check_polls,
            "looks at an invalidation's status between two reads of the fault status register "
            "[Linux: 1]",
            Limits{1u, 1'000'000u}},
      Field{"memlock", &Params::memlock,
            "RLIMIT_MEMLOCK of a process, raised for drivers as VMMs have it [model choice]"},
      Field{"mappings_max", &Params::mappings_max,
            "mappings of one address space (type1: dma_entry_limit) [Linux: 65535]",
            Limits{1u, 1u << 30}},
      Field{"map_without_device", &Params::map_without_device,
            "MAP_DMA on an IOASID that no device is attached to pins and accounts at once and "
            "fills the tables at the first attach, as RFC v2 allows; off: EINVAL, as the RFC's "
            "code does"},
      Field{"dma_no_snoop", &Params::dma_no_snoop,
            "IOASIDs may leave snooping unenforced (EXT_DMA_NO_SNOOP); off: RFC v2's first stage, "
            "in which devices that need it have no node"},
      Field{"superpages", &Params::superpages,
            "second-stage tables use 2 MiB and 1 GiB entries where hardware and addresses allow"},
      Field{"transparent_huge_pages", &Params::transparent_huge_pages,
            "anonymous memory comes in 2 MiB pieces where it is aligned"},
      Field{"zero_user_pages", &Params::zero_user_pages,
            "a first touch clears the page by cached stores; off: frames that were never used "
            "count as clear, and no line of them is cached"}};
};

}  // namespace ioasim::kernel
