# warnings(TARGET): the warnings of our own code. Libraries come in as system headers.
function(warnings TARGET)
  target_compile_options(${TARGET} PRIVATE
    -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wimplicit-fallthrough
    -Wnon-virtual-dtor -Woverloaded-virtual -Werror=return-type)
  if(IOASIM_WERROR)
    target_compile_options(${TARGET} PRIVATE -Werror)
  endif()
endfunction()
