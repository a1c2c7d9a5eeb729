# The command: every src/cli/cmd_<name>.c is a subcommand; the table of main.c is made from the files that are there.
# The folder sees include/r1 and jansson only: src/ is not on its include path.
file(GLOB R1_CLI CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c)
list(REMOVE_ITEM R1_CLI ${PROJECT_SOURCE_DIR}/src/cli/main.c)
set(commands "")
set(R1_COMMANDS "")
foreach(f ${R1_CLI})
  if(f MATCHES "/cmd_([a-z_0-9]+)\\.c$")
    string(APPEND commands "R1_COMMAND(${CMAKE_MATCH_1})\n")
    list(APPEND R1_COMMANDS ${CMAKE_MATCH_1})
  endif()
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/commands.inc CONTENT "${commands}")

# A library of its own so that tests can link all but main().
add_library(r1cli STATIC ${R1_CLI})
target_include_directories(r1cli PUBLIC ${PROJECT_BINARY_DIR}/generated)
target_link_libraries(r1cli PRIVATE r1_flags r1lib r1_core_deps r1_feature_LIBEDIT)
target_compile_definitions(r1cli PRIVATE R1_DATE="${R1_DATE}")

# What `r1 bench` writes beside its numbers: the commit (the log of HEAD grows with each, which configures again) and flags.
execute_process(COMMAND git describe --always --dirty WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE R1_COMMIT
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git rev-parse --path-format=absolute --git-path logs/HEAD WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                OUTPUT_VARIABLE R1_HEAD_LOG OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(R1_HEAD_LOG AND EXISTS ${R1_HEAD_LOG})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${R1_HEAD_LOG})
endif()
string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/cli/bench_record.c PROPERTIES COMPILE_DEFINITIONS
  "R1_COMMIT=\"${R1_COMMIT}\";R1_BUILD_FLAGS=\"${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION} ${CMAKE_C_FLAGS_${type}}\"")
add_executable(r1 ${PROJECT_SOURCE_DIR}/src/cli/main.c)
target_link_libraries(r1 PRIVATE r1_flags r1cli r1lib r1_core_deps)
set_target_properties(r1 PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})

# Man pages come from the option lists: the program prints them. Not under a sanitizer, whose leaks would fail a build.
set(man ${PROJECT_BINARY_DIR}/man)
set(R1_MAN_PAGES ${man}/r1.1)
set(man_commands COMMAND r1 --man > ${man}/r1.1)
foreach(c ${R1_COMMANDS})
  list(APPEND R1_MAN_PAGES ${man}/r1-${c}.1)
  list(APPEND man_commands COMMAND r1 --man ${c} > ${man}/r1-${c}.1)
endforeach()
add_custom_command(OUTPUT ${R1_MAN_PAGES} COMMAND ${CMAKE_COMMAND} -E make_directory ${man} ${man_commands} DEPENDS r1
                   COMMENT "Writing man pages" VERBATIM)
add_custom_target(r1_man ALL DEPENDS ${R1_MAN_PAGES})
