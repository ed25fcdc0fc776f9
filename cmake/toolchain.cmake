# Faster tools where the host has them; the result does not depend on them.
find_program(IOASIM_CCACHE ccache)
if(IOASIM_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${IOASIM_CCACHE})
endif()

find_program(IOASIM_LLD ld.lld)
if(IOASIM_LLD)
  add_link_options(-fuse-ld=lld)
endif()

# __FILE__ is relative to the repository, so that no message depends on where it was built.
add_compile_options(-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
