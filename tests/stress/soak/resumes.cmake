# A run that was interrupted goes on, on other numbers of threads, to the results of one that was not.
# cmake -DSOAK=[emulator,]program -DCOUNT=seeds -DFOLDER=where -P resumes.cmake
string(REPLACE "," ";" soak "${SOAK}")  # with the emulator that it takes, if any
set(whole "${FOLDER}/soak_whole.state")
set(pieces "${FOLDER}/soak_pieces.state")
file(REMOVE "${whole}" "${pieces}")

function(run expected)
  execute_process(COMMAND ${soak} --quiet --count ${COUNT} ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  message("${output}")
  if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "expected '${expected}', exit status ${status}")
  endif()
endfunction()

run("${COUNT} problems" --state "${whole}")
run("stopped; the same command goes on" --state "${pieces}" --interrupt 1)
run("stopped; the same command goes on" --state "${pieces}" --interrupt 2 --threads 3)
run("${COUNT} problems.*: 0 digests differ" --state "${pieces}" --threads 2 --expect "${whole}")
