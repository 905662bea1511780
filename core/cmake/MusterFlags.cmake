# How everything is compiled: target muster_flags, and muster_link_flags for
# what is linked into shared objects.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# Without a sanitizer: of servers of tests, too, which are not what is tested.
add_library(muster_plain_flags INTERFACE)
target_include_directories(muster_plain_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/core)
target_compile_definitions(muster_plain_flags INTERFACE _GNU_SOURCE)
target_compile_options(muster_plain_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -fno-omit-frame-pointer)
if(MUSTER_WERROR)
  target_compile_options(muster_plain_flags INTERFACE -Werror)
endif()

add_library(muster_flags INTERFACE)
target_link_libraries(muster_flags INTERFACE muster_plain_flags)
if(MUSTER_SANITIZE)
  # Without no-recover, undefined behaviour would only print.
  target_compile_options(muster_flags INTERFACE
    -fsanitize=${MUSTER_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(muster_flags INTERFACE -fsanitize=${MUSTER_SANITIZE})
endif()
# What makes each program begin and end sooner. clang's run time is within the
# program.
if(MUSTER_SANITIZE MATCHES "address" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_library(muster_quick_leak_check OBJECT
    ${PROJECT_SOURCE_DIR}/tests/lanes/quick_leak_check.c)
  target_link_libraries(muster_quick_leak_check PRIVATE muster_plain_flags)
  target_link_libraries(muster_flags INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:muster_quick_leak_check>>)
  # The sanitizers describe each global and each check by a record of addresses:
  # in a program that may be anywhere, 900 pages to relocate at each start.
  target_link_options(muster_flags INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-no-pie>)
endif()
if(MUSTER_FUZZ)
  target_compile_options(muster_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# nodelete: they own threads. defs: nothing is left to be found at load time;
# clang links the sanitizers' run time into programs only.
add_library(muster_link_flags INTERFACE)
target_link_options(muster_link_flags INTERFACE -Wl,-z,nodelete)
if(NOT (MUSTER_SANITIZE AND CMAKE_C_COMPILER_ID MATCHES "Clang"))
  target_link_options(muster_link_flags INTERFACE -Wl,-z,defs)
endif()
