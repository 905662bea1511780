# muster_add_plugin(<id> SOURCES <files...> [LIBS <targets...>])
#
# One list of sources, two products:
#   muster_builtin_<id>  objects compiled with MUSTER_BUILTIN, for linking in
#   muster_plugin_<id>   muster_<id>.so, exporting muster_plugin_entry only
#
# Inside muster's tree and, after find_package(muster), outside of it.
set(MUSTER_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/plugin.map)

function(muster_add_plugin id)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  set_property(GLOBAL APPEND PROPERTY MUSTER_PLUGIN_IDS ${id})
  set_property(GLOBAL PROPERTY MUSTER_PLUGIN_LIBS_${id} "${ARG_LIBS}")

  add_library(muster_builtin_${id} OBJECT EXCLUDE_FROM_ALL ${ARG_SOURCES})
  target_compile_definitions(muster_builtin_${id} PRIVATE MUSTER_BUILTIN)

  add_library(muster_plugin_${id} MODULE ${ARG_SOURCES})
  set_target_properties(muster_plugin_${id} PROPERTIES
    PREFIX "" OUTPUT_NAME muster_${id}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/plugins
    LINK_DEPENDS ${MUSTER_PLUGIN_MAP})
  target_link_options(muster_plugin_${id} PRIVATE
    -Wl,--version-script=${MUSTER_PLUGIN_MAP})
  if(TARGET muster_link_flags)
    target_link_libraries(muster_plugin_${id} PRIVATE muster_link_flags)
  else()
    target_link_options(muster_plugin_${id} PRIVATE
      -Wl,-z,nodelete -Wl,-z,defs)
  endif()

  foreach(product muster_builtin_${id} muster_plugin_${id})
    set_target_properties(${product} PROPERTIES
      C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
    target_link_libraries(${product} PRIVATE
      $<TARGET_NAME_IF_EXISTS:muster_flags>
      $<TARGET_NAME_IF_EXISTS:muster::headers> ${ARG_LIBS})
  endforeach()
endfunction()
