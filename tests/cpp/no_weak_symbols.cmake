# A function that a kernel object defines weakly could be taken by the linker for everybody's copy, and would then run
# wide instructions on a processor that has none.
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} -C ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]* [WVu] [^\n]*" weak "${symbols}")
  if(weak)
    list(JOIN weak "\n" lines)
    message(FATAL_ERROR "${object} defines\n${lines}")
  endif()
endforeach()
