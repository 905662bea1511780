# SPDX-License-Identifier: Apache-2.0
# The tables of the completion for bash, from the records of ./describe.

function line(table, pattern, text)
{
    tables[table] = tables[table] \
        sprintf("    %s) echo \"%s\" ;;\n", pattern, text)
}

function print_table(name)
{
    printf "_muster_%s()\n{\n    case $1 in\n", name
    printf "%s    esac\n}\n", tables[name]
}

function patterns(command, names,    all, n, i, result)
{
    n = split(names, all, " ")
    for (i = 1; i <= n; i++) {
        result = result (i > 1 ? " | " : "") "\"" command " " all[i] "\""
    }
    return result
}

BEGIN { FS = "\t" }

$1 == "command" {
    order[n_commands++] = $2
    parent = $2
    if (!sub(/ ?[^ ]+$/, "", parent)) next
    name = $2
    sub(/.* /, "", name)
    names[parent] = names[parent] (names[parent] ? " " : "") name
}

$1 == "option" {
    options[$2] = options[$2] (options[$2] ? " " : "") $3
    if ($4 != "nothing") {
        line("value", patterns($2, $3), $4 " " $6 ($7 ? " " $7 : ""))
    }
}

$1 == "argument" {
    line("argument", "\"" $2 " " ++n_arguments[$2] "\"", $4 ($5 ? " " $5 : ""))
}

END {
    for (i = 0; i < n_commands; i++) {
        line("options", "\"" order[i] "\"", options[order[i]])
        line("names", "\"" order[i] "\"", names[order[i]])
    }
    print "\n# The options of a command."
    print_table("options")
    print "\n# The verbs, or the actions of a verb."
    print_table("names")
    print "\n# What \"COMMAND OPTION\" takes."
    print_table("value")
    print "\n# What \"COMMAND N\", its argument number N, is."
    print_table("argument")
}
