include(${CMAKE_CURRENT_LIST_DIR}/libraries.cmake)

# Every user of SystemC goes through ioasim::systemc. The packaged library is built as C++17 and
# exports only the version symbol of C++17, which its headers derive from SC_CPLUSPLUS.
add_library(ioasim_sc_main STATIC ${CMAKE_CURRENT_LIST_DIR}/sc_main.cpp)
warnings(ioasim_sc_main)
add_library(ioasim_systemc INTERFACE)
add_library(ioasim::systemc ALIAS ioasim_systemc)
target_compile_definitions(ioasim_systemc INTERFACE SC_CPLUSPLUS=201703L)
target_link_libraries(ioasim_systemc INTERFACE PkgConfig::SYSTEMC ioasim_sc_main)

set_target_properties(ioasim_sc_main PROPERTIES EXPORT_NAME sc_main)
set_target_properties(ioasim_systemc PROPERTIES EXPORT_NAME systemc)
install(TARGETS ioasim_systemc ioasim_sc_main EXPORT ioasim)

if(IOASIM_TESTS)
  find_package(GTest REQUIRED)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  find_program(IOASIM_BASH bash REQUIRED)
endif()
if(IOASIM_BENCH)
  find_package(benchmark REQUIRED)
endif()
