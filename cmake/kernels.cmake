# R1_KERNELS: the rooms under the model (base, tensor, op, backend/cpu) and the tests that need no more. They use no outside
# library but the headers of Random123, so they cross-compile without one; cmocka is replaced by tests/cross/cmocka.h.
find_package(Threads REQUIRED)
find_path(RANDOM123_INCLUDE Random123/philox.h PATHS /usr/include NO_CMAKE_FIND_ROOT_PATH REQUIRED)
set(headers ${PROJECT_BINARY_DIR}/include) # alone: the host's other headers must not be seen
file(MAKE_DIRECTORY ${headers})
file(CREATE_LINK ${RANDOM123_INCLUDE}/Random123 ${headers}/Random123 SYMBOLIC)

set(R1_SOURCES "")
foreach(room base tensor op backend/cpu)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.c)
  list(APPEND R1_SOURCES ${files})
endforeach()
list(FILTER R1_SOURCES EXCLUDE REGEX "/base/(json|yaml|regex|version)\\.c$") # outside libraries, or what the whole program knows of them
add_library(r1kernels STATIC ${R1_SOURCES})
target_include_directories(r1kernels PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_include_directories(r1kernels SYSTEM PUBLIC ${headers})
target_compile_definitions(r1kernels PRIVATE R1_WITH_HWLOC=0)
target_link_libraries(r1kernels PRIVATE r1_flags PUBLIC Threads::Threads ${CMAKE_DL_LIBS} m)
r1_isa_flags()

enable_testing()
file(GLOB tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/op/test_*.c)
foreach(name codec panel pool rng) # what else is under the ops and has bytes or an order of memory of its own
  list(APPEND tests ${PROJECT_SOURCE_DIR}/tests/unit/test_${name}.c)
endforeach()
foreach(f ${tests})
  get_filename_component(name ${f} NAME_WE)
  add_executable(${name} ${f} ${PROJECT_SOURCE_DIR}/tests/support/random_blocks.c)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/cross ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE r1_flags r1kernels)
  target_compile_definitions(${name} PRIVATE R1_TEST_DIR="${PROJECT_SOURCE_DIR}/tests" R1_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(CMAKE_CROSSCOMPILING)
    target_compile_definitions(${name} PRIVATE R1_EMULATED)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 3000 SKIP_RETURN_CODE 77)
  if(CMAKE_CROSSCOMPILING AND name MATCHES "test_(linear_quant|op_bytes)") # once more where there is no integer dot product
    add_test(NAME ${name}_without_dot COMMAND ${name})
    set_tests_properties(${name}_without_dot PROPERTIES TIMEOUT 3000 SKIP_RETURN_CODE 77 ENVIRONMENT QEMU_CPU=cortex-a72)
  endif()
endforeach()
if(CMAKE_CROSSCOMPILING) # an emulator's minutes go to what can differ from x86: rows against plain C, not plain C against double
  set_tests_properties(test_op_attention PROPERTIES ENVIRONMENT R1_ONLY=test_nothing_moves_a_bit)
  add_test(NAME test_op_attention_long COMMAND test_op_attention)
  set_tests_properties(test_op_attention_long PROPERTIES TIMEOUT 3000 ENVIRONMENT R1_ONLY=test_long_context,test_another_order_shows)
  set_tests_properties(test_op_elementary PROPERTIES ENVIRONMENT R1_ONLY=test_lanes)
  set_tests_properties(test_op_linear PROPERTIES ENVIRONMENT R1_ONLY=test_rows_of_the_table_agree,test_bf16_compute,test_jobs_in_one_region)
endif()
