# module(NAME FLOOR n [ROOT dir] [CORE a.cpp ...] [SOURCES b.cpp ...]
#        [DEPENDS module ...] [LIBRARIES target ...])
#
# Makes the library ioasim_NAME, alias ioasim::NAME, of the folder ROOT/NAME; ROOT is the current
# folder unless given, and is the include root: #include "NAME/a.hpp". CORE are the sources that do
# without SystemC, SOURCES the others, both relative to the module's folder; in a module that never
# meets SystemC it makes no difference. A module may depend only on modules of lower floors.
# Library and headers are installed and exported.
#
# ioasim::NAME_core is the part without SystemC: the CORE sources here and below. The unit tests
# link it.
function(module NAME)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "FLOOR;ROOT" "CORE;SOURCES;DEPENDS;LIBRARIES")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "module ${NAME}: unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT ARG_FLOOR MATCHES "^[0-9]+$")
    message(FATAL_ERROR "module ${NAME}: FLOOR must be a number, not \"${ARG_FLOOR}\"")
  endif()
  if(NOT ARG_ROOT)
    set(ARG_ROOT ${CMAKE_CURRENT_SOURCE_DIR})
  endif()

  set_property(GLOBAL PROPERTY ioasim_floor_${NAME} ${ARG_FLOOR})
  set_property(GLOBAL APPEND PROPERTY ioasim_modules ${NAME})
  set_property(GLOBAL PROPERTY ioasim_depends_${NAME} ${ARG_DEPENDS})
  _module_meets_systemc(meets_systemc ${NAME} "${ARG_DEPENDS}" "${ARG_LIBRARIES}")

  list(TRANSFORM ARG_DEPENDS PREPEND ioasim:: OUTPUT_VARIABLE whole)
  list(TRANSFORM whole APPEND _core OUTPUT_VARIABLE cores)
  set(plain_libraries ${ARG_LIBRARIES})
  list(REMOVE_ITEM plain_libraries ioasim::systemc)
  if(meets_systemc)
    _module_library(${NAME}_core ${NAME} ${ARG_ROOT} "${ARG_CORE}" "${cores};${plain_libraries}")
    _module_library(${NAME} ${NAME} ${ARG_ROOT} "${ARG_SOURCES}"
                    "ioasim::${NAME}_core;${whole};${ARG_LIBRARIES}")
  else()
    _module_library(${NAME} ${NAME} ${ARG_ROOT} "${ARG_CORE};${ARG_SOURCES}"
                    "${whole};${ARG_LIBRARIES}")
    add_library(ioasim::${NAME}_core ALIAS ioasim_${NAME})
  endif()

  if(IS_DIRECTORY ${ARG_ROOT}/${NAME})
    install(DIRECTORY ${ARG_ROOT}/${NAME} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ioasim
            FILES_MATCHING PATTERN "*.hpp")
  endif()
endfunction()

# program(NAME [SOURCES a.cpp ...] [DEPENDS module ...] [LIBRARIES target ...])
#
# Makes and installs an executable of sources in the current folder; none without sources.
function(program NAME)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;DEPENDS;LIBRARIES")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "program ${NAME}: unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT ARG_SOURCES)
    return()
  endif()
  add_executable(${NAME} ${ARG_SOURCES})
  warnings(${NAME})
  list(TRANSFORM ARG_DEPENDS PREPEND ioasim::)
  target_link_libraries(${NAME} PRIVATE ${ARG_DEPENDS} ${ARG_LIBRARIES})
  install(TARGETS ${NAME})
endfunction()

# check_floors(): refuses an edge that does not lead down; comes after all module() calls.
function(check_floors)
  get_property(modules GLOBAL PROPERTY ioasim_modules)
  foreach(module IN LISTS modules)
    get_property(floor GLOBAL PROPERTY ioasim_floor_${module})
    get_property(depends GLOBAL PROPERTY ioasim_depends_${module})
    list(FIND modules ${module} place)
    foreach(other IN LISTS depends)
      list(FIND modules ${other} other_place)
      if(other_place EQUAL -1)
        message(FATAL_ERROR "module ${module} (floor ${floor}) depends on ${other}, "
                            "which no module() call declares")
      endif()
      get_property(other_floor GLOBAL PROPERTY ioasim_floor_${other})
      if(other_floor GREATER_EQUAL floor)
        message(FATAL_ERROR "module ${module} (floor ${floor}) may not depend on "
                            "${other} (floor ${other_floor}): only on lower floors")
      endif()
      if(other_place GREATER place)
        message(FATAL_ERROR "module ${module} (floor ${floor}) depends on ${other} "
                            "(floor ${other_floor}), which must be declared before it")
      endif()
    endforeach()
  endforeach()
endfunction()

# Sets RESULT to whether a module links SystemC, itself or through a dependency.
function(_module_meets_systemc RESULT NAME DEPENDS LIBRARIES)
  set(meets FALSE)
  if("ioasim::systemc" IN_LIST LIBRARIES)
    set(meets TRUE)
  endif()
  foreach(other IN LISTS DEPENDS)
    get_property(below GLOBAL PROPERTY ioasim_meets_systemc_${other})
    if(below)
      set(meets TRUE)
    endif()
  endforeach()
  set_property(GLOBAL PROPERTY ioasim_meets_systemc_${NAME} ${meets})
  set(${RESULT} ${meets} PARENT_SCOPE)
endfunction()

# One library of a module; header-only without sources.
function(_module_library LIBRARY MODULE ROOT SOURCES LINKS)
  set(target ioasim_${LIBRARY})
  list(REMOVE_ITEM SOURCES "")
  list(REMOVE_ITEM LINKS "")
  if(SOURCES)
    set(scope PUBLIC)
    list(TRANSFORM SOURCES PREPEND ${ROOT}/${MODULE}/)
    add_library(${target} STATIC ${SOURCES})
    warnings(${target})
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  add_library(ioasim::${LIBRARY} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${LIBRARY})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(${target} ${scope}
    $<BUILD_INTERFACE:${ROOT}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/ioasim>)
  target_link_libraries(${target} ${scope} ${LINKS})
  install(TARGETS ${target} EXPORT ioasim)
endfunction()
