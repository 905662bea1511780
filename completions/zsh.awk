# SPDX-License-Identifier: Apache-2.0
# The functions of the completion for zsh, one a command, from the records of
# ./describe.

function quoted(text)
{
    gsub(/'/, "'\\''", text)
    return "'" text "'"
}

function action_of(kind, words)
{
    if (kind == "file" && words) return " _muster_words_or_files " words
    if (words) return "(" words ")"
    if (kind == "file") return "_files"
    if (kind == "folder") return "_files -/"
    if (kind == "target") return "_muster_targets"
    if (kind == "policy") return "_muster_policies"
    if (kind == "plugin") return "_muster_plugins"
    if (kind == "verb") return "(" verbs ")"
    return " "
}

# How an option and its argument are written: "-oX" or "-o X", "--output=X".
function joint(name, takes)
{
    if (takes == "nothing") return ""
    if (name !~ /^--/) return "+"
    return takes == "may" ? "=-" : "="
}

# Any may come again: "-v -v", "-p this -p that".
function add_options(command, all, takes, name, kind, words, text,    n, i, at)
{
    gsub(/[][\\]/, "\\\\&", text)
    text = "[" text "]"
    if (takes != "nothing") {
        text = text (takes == "may" ? "::" : ":") name ":" \
            action_of(kind, words)
    }
    n = split(all, at, " ")
    for (i = 1; i <= n; i++) {
        if (at[i] == "-?") continue
        specs[command] = specs[command] " \\\n        " \
            quoted("*" at[i] joint(at[i], takes) text)
    }
}

function add_argument(command, name, kind, words)
{
    n_arguments[command]++
    arguments[command] = arguments[command] " \\\n        " \
        (kind == "command" ? quoted("*:::COMMAND:_normal") : \
        quoted(n_arguments[command] ":" name ":" action_of(kind, words)))
}

# "_muster_command_plugins_check"
function function_of(command)
{
    gsub(/ /, "_", command)
    return "_muster_command" (command ? "_" command : "")
}

function print_function(command,    body, n, i, parts)
{
    printf "\n%s()\n{\n", function_of(command)
    if (!names[command]) {
        printf "    _arguments -s -S%s%s\n}\n", specs[command], \
            arguments[command]
        return
    }
    print "    local state line"
    print "    local -a names=(" names[command] "\n    )"
    printf "    _arguments -C -S%s \\\n", specs[command]
    print "        '1:name:->name' '*::argument:->argument'"
    print "    case $state in\n    name) _describe -t names name names ;;"
    print "    argument)\n        case $words[1] in"
    n = split(calls[command], parts, " ")
    for (i = 1; i <= n; i++) {
        body = command (command ? " " : "") parts[i]
        printf "        %s) %s ;;\n", parts[i], function_of(body)
    }
    print "        esac\n        ;;\n    esac\n}"
}

BEGIN { FS = "\t" }

# Verbs are known when the last argument is written.
{ records[NR] = $0 }
$1 == "command" && $2 != "" && $2 !~ / / { verbs = verbs (verbs ? " " : "") $2 }

END {
    for (i = 1; i <= NR; i++) {
        split(records[i], field, "\t")
        command = field[2]
        if (field[1] == "command") {
            order[++n_commands] = command
            parent = command
            if (!sub(/ ?[^ ]+$/, "", parent)) continue
            name = command
            sub(/.* /, "", name)
            calls[parent] = calls[parent] " " name
            names[parent] = names[parent] "\n        " \
                quoted(name (field[3] ? ":" field[3] : ""))
        } else if (field[1] == "option") {
            add_options(command, field[3], field[4], field[5], field[6], \
                field[7], field[8])
        } else if (field[1] == "argument") {
            add_argument(command, field[3], field[4], field[5])
        }
    }
    for (i = 1; i <= n_commands; i++) {
        print_function(order[i])
    }
    print "\n_muster \"$@\""
}
