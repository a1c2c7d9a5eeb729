# The code runner's inner program (src/reward/jail): compiled on its own, without sanitizers or coverage, for it runs behind
# limits that they do not survive; then kept inside the library as bytes, with the Python harness beside it.
add_executable(r1_jail ${PROJECT_SOURCE_DIR}/src/reward/jail/code_jail.c)
target_include_directories(r1_jail PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(r1_jail PRIVATE _GNU_SOURCE)
target_compile_options(r1_jail PRIVATE -O2 -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla)
if(R1_WERROR)
  target_compile_options(r1_jail PRIVATE -Werror)
endif()
target_link_options(r1_jail PRIVATE -s)
function(r1_embed name file)
  set(out ${PROJECT_BINARY_DIR}/generated/blob_${name}.c)
  add_custom_command(OUTPUT ${out} COMMAND ${CMAKE_COMMAND} -DIN=${file} -DOUT=${out} -DNAME=${name} -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
                     DEPENDS ${file} ${ARGN} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  target_sources(r1lib PRIVATE ${out})
endfunction()
r1_embed(jail $<TARGET_FILE:r1_jail> r1_jail)
r1_embed(harness ${PROJECT_SOURCE_DIR}/src/reward/jail/code_harness.py)
