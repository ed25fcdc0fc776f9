include(GoogleTest)

# support([CORE a.cpp ...] [SOURCES b.cpp ...] [DEPENDS module ...] [LIBRARIES target ...])
#
# What the suites share: #include "support/a.hpp" or "a.hpp". CORE and SOURCES are as in module();
# the unit tests link only the CORE.
function(support)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "" "" "CORE;SOURCES;DEPENDS;LIBRARIES")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "support: unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  list(TRANSFORM ARG_DEPENDS PREPEND ioasim:: OUTPUT_VARIABLE whole)
  list(TRANSFORM whole APPEND _core OUTPUT_VARIABLE cores)
  set(plain_libraries ${ARG_LIBRARIES})
  list(REMOVE_ITEM plain_libraries ioasim::systemc)
  _support_library(test_support_core "${ARG_CORE}" ${cores} ${plain_libraries})
  _support_library(test_support "${ARG_SOURCES}" test_support_core ${whole} ${ARG_LIBRARIES})
endfunction()

# suite(NAME [SOURCES a.cpp ...] [DEPENDS module ...] [LIBRARIES target ...])
#
# The executable test_NAME; each case is a ctest of its own, run from the top of the repository,
# with the label NAME. Without sources there is no suite. The suite "unit" links the CORE of the
# modules only, hence no SystemC.
function(suite NAME)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;DEPENDS;LIBRARIES")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "suite ${NAME}: unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT ARG_SOURCES)
    return()
  endif()
  set(links test_support)
  list(TRANSFORM ARG_DEPENDS PREPEND ioasim::)
  list(APPEND links ${ARG_DEPENDS})
  if(NAME STREQUAL "unit")
    list(TRANSFORM links APPEND _core)
  endif()
  list(TRANSFORM ARG_SOURCES PREPEND ${NAME}/)
  add_executable(test_${NAME} ${ARG_SOURCES})
  warnings(test_${NAME})
  # The main() of GoogleTest comes first: libsystemc has one too.
  target_link_libraries(test_${NAME} PRIVATE GTest::gmock_main ${links} ${ARG_LIBRARIES})
  gtest_discover_tests(test_${NAME}
    DISCOVERY_MODE PRE_TEST
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    PROPERTIES LABELS ${NAME} TIMEOUT 300)
endfunction()

# cli(FILE): a Python or shell test of the commands, with the label cli, run from the top of the
# repository. Its environment names the built binary (IOASIM) and the build folder
# (IOASIM_BUILD_DIR).
function(cli FILE)
  cmake_path(GET FILE EXTENSION kind)
  if(kind STREQUAL ".py")
    set(runner ${Python3_EXECUTABLE} -B)
  else()
    set(runner ${IOASIM_BASH})
  endif()
  add_test(NAME cli/${FILE}
           COMMAND ${runner} ${CMAKE_CURRENT_SOURCE_DIR}/cli/${FILE}
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set(environment IOASIM_BUILD_DIR=${PROJECT_BINARY_DIR})
  if(TARGET ioasim)
    list(APPEND environment IOASIM=$<TARGET_FILE:ioasim>)
  endif()
  set_tests_properties(cli/${FILE} PROPERTIES
    LABELS cli TIMEOUT 600 ENVIRONMENT "${environment}")
endfunction()

function(_support_library TARGET SOURCES)
  if(SOURCES)
    set(scope PUBLIC)
    list(TRANSFORM SOURCES PREPEND support/)
    add_library(${TARGET} STATIC ${SOURCES})
    warnings(${TARGET})
  else()
    set(scope INTERFACE)
    add_library(${TARGET} INTERFACE)
  endif()
  target_include_directories(${TARGET} ${scope}
    ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/support)
  target_link_libraries(${TARGET} ${scope} GTest::gmock ${ARGN})
endfunction()
