# SPDX-License-Identifier: Apache-2.0
# The completion for fish, from the records of ./describe.

function quoted(text)
{
    gsub(/[\\']/, "\\\\&", text)
    return "'" text "'"
}

# The part of "complete" that offers values.
function values_of(kind, words)
{
    if (kind == "file" && words) return " -F -a " quoted(words)
    if (words) return " -a " quoted(words)
    if (kind == "file") return " -F"
    if (kind == "folder") return " -a '(__fish_complete_directories)'"
    if (kind == "target") return " -a '(__muster_targets)'"
    if (kind == "policy") return " -a '(__muster_classes balancer)'"
    if (kind == "plugin") return " -F -a '(__muster_plugins)'"
    if (kind == "verb") return " -a '(__muster_verbs)'"
    return ""
}

function condition(command)
{
    return "complete -c muster -n " quoted("__muster_is " command)
}

# An option's argument is files, or what is offered, and never left out.
function add_option(command, all, takes, kind, words, text,    n, i, at, result)
{
    n = split(all, at, " ")
    result = condition(command)
    for (i = 1; i <= n; i++) {
        if (at[i] == "-?") continue
        result = result (at[i] ~ /^--/ ? " -l " substr(at[i], 3) : \
            " -s " substr(at[i], 2))
    }
    if (takes == "must") {
        result = result (kind == "file" ? " -r" : " -x") values_of(kind, words)
    }
    lines[++n_lines] = result " -d " quoted(text)
}

BEGIN { FS = "\t" }

$1 == "command" && $2 != "" {
    commands = commands " " quoted($2)
    parent = $2
    name = $2
    sub(/ ?[^ ]+$/, "", parent)
    sub(/.* /, "", name)
    lines[++n_lines] = condition(parent) " -a " name \
        ($3 ? " -d " quoted($3) : "")
    has_names[parent] = 1
}

$1 == "option" { add_option($2, $3, $4, $6, $7, $8) }

$1 == "argument" && $4 != "other" && $4 != "command" {
    n_arguments++
    argument[n_arguments] = $2
    values[n_arguments] = values_of($4, $5)
}

END {
    print "\nset -g __muster_commands" commands
    for (i = 1; i <= n_lines; i++) {
        print lines[i]
    }
    for (i = 1; i <= n_arguments; i++) {
        if (!has_names[argument[i]]) {
            print condition(argument[i]) values[i]
        }
    }
}
