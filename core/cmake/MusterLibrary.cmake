# muster_add_library(<target> OUTPUT <name> MAP <file> OBJECTS <targets...>
#                    [PUBLIC <targets...>] [PRIVATE <targets...>])
#
# One set of objects, two products:
#   <target>_shared  lib<name>.so, exporting the names in the map only
#   <target>_static  lib<name>.a, for our own tests and for static programs
# PUBLIC is what users of the headers need; PRIVATE what the code needs.
function(muster_add_library target)
  cmake_parse_arguments(ARG "" "OUTPUT;MAP" "OBJECTS;PUBLIC;PRIVATE" ${ARGN})
  list(TRANSFORM ARG_OBJECTS REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>"
    OUTPUT_VARIABLE objects)
  list(TRANSFORM ARG_PUBLIC REPLACE "_LINKAGE$" "_shared"
    OUTPUT_VARIABLE public_shared)
  list(TRANSFORM ARG_PUBLIC REPLACE "_LINKAGE$" "_static"
    OUTPUT_VARIABLE public_static)

  add_library(${target}_shared SHARED ${objects})
  set_target_properties(${target}_shared PROPERTIES
    OUTPUT_NAME ${ARG_OUTPUT}
    VERSION ${PROJECT_VERSION} SOVERSION 0
    LINK_DEPENDS ${ARG_MAP})
  target_link_options(${target}_shared PRIVATE
    -Wl,--version-script=${ARG_MAP})
  target_link_libraries(${target}_shared
    PUBLIC ${public_shared}
    PRIVATE muster_flags muster_link_flags ${ARG_PRIVATE})

  add_library(${target}_static STATIC ${objects})
  set_target_properties(${target}_static PROPERTIES OUTPUT_NAME ${ARG_OUTPUT})
  target_link_libraries(${target}_static
    PUBLIC ${public_static} muster_flags ${ARG_PRIVATE})

  foreach(product ${target}_shared ${target}_static)
    target_include_directories(${product} INTERFACE
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  endforeach()
endfunction()
