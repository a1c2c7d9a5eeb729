# Flags of every target, and of the files that are compiled for one instruction set.
add_library(r1_flags INTERFACE)
target_compile_definitions(r1_flags INTERFACE _GNU_SOURCE)
target_compile_options(r1_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef -Wvla
  -ffp-contract=off      # a fused multiply-add only where the source says fmaf
  -fno-math-errno -fno-trapping-math -fvisibility=hidden)
if(R1_WERROR)
  target_compile_options(r1_flags INTERFACE -Werror)
endif()
if(R1_SANITIZE)
  target_compile_options(r1_flags INTERFACE -fsanitize=${R1_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
  target_link_options(r1_flags INTERFACE -fsanitize=${R1_SANITIZE})
endif()
if(R1_FUZZ)
  target_compile_options(r1_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(R1_COVERAGE)
  target_compile_options(r1_flags INTERFACE --coverage -O0)
  target_link_options(r1_flags INTERFACE --coverage)
endif()

# Only these folders may use vector instructions; nothing else may be compiled for more than the baseline, or a bare
# host would meet an illegal instruction before the run-time check.
function(r1_isa_flags)
  # Fuzzing aims at the parsers: instrumenting the unrolled kernels takes clang minutes a file and finds nothing there.
  set(plain "")
  if(R1_FUZZ)
    set(plain ";-fno-sanitize=all;-O1")
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    foreach(f ${R1_SOURCES})
      if(f MATCHES "/backend/cpu/avx2/")
        set_source_files_properties(${f} PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c;-mbmi2${plain}")
      elseif(f MATCHES "/backend/cpu/avx512/")
        set_source_files_properties(${f} PROPERTIES COMPILE_OPTIONS
          "-mavx2;-mfma;-mf16c;-mbmi2;-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mavx512vnni;-mavx512bf16;-mavx512vbmi;-mavx512vbmi2;-mprefer-vector-width=512${plain}")
      endif()
    endforeach()
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64") # NEON is the baseline; the integer dot product is not
    foreach(f ${R1_SOURCES})
      if(f MATCHES "/neon_linear_dot.c$")
        set_source_files_properties(${f} PROPERTIES COMPILE_OPTIONS "-march=armv8.2-a+dotprod${plain}")
      endif()
    endforeach()
  endif()
endfunction()
