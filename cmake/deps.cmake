# Outside libraries. Core: always, statically where an archive exists. Features: found or left out, each alone.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(JANSSON REQUIRED jansson)
pkg_check_modules(PCRE2 REQUIRED libpcre2-8)
find_path(UTF8PROC_INCLUDE utf8proc.h REQUIRED)
find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)

# Prefer the static archive, so that the program starts on a host without the package.
function(r1_find_static out name)
  find_library(${out} NAMES lib${name}.a ${name})
  if(NOT ${out})
    message(FATAL_ERROR "lib${name} is missing: run tools/install-deps.sh core")
  endif()
endfunction()
r1_find_static(R1_LIB_JANSSON jansson)
r1_find_static(R1_LIB_PCRE2 pcre2-8)
r1_find_static(R1_LIB_UTF8PROC utf8proc)

add_library(r1_core_deps INTERFACE)
target_include_directories(r1_core_deps SYSTEM INTERFACE ${JANSSON_INCLUDE_DIRS} ${PCRE2_INCLUDE_DIRS} ${UTF8PROC_INCLUDE} ${RANDOM123_INCLUDE})
target_compile_definitions(r1_core_deps INTERFACE PCRE2_STATIC UTF8PROC_STATIC)
target_link_libraries(r1_core_deps INTERFACE ${R1_LIB_JANSSON} ${R1_LIB_PCRE2} ${R1_LIB_UTF8PROC} Threads::Threads ${CMAKE_DL_LIBS} m)
