// SystemC and TLM-2.0, included in one way. SystemC headers are slow to compile: only shells
// (modules with sockets) include this; rules, tables and walks do not.
#pragma once

#include <systemc>
#include <tlm>
