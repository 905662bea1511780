# SPDX-License-Identifier: Apache-2.0
# Reads one "--help" for ./describe, which says what comes out.

# What NAME in "--option=NAME" or "Usage: ... NAME" stands for.
function kind_of(name)
{
    if (name == "FILE" || name == "PATH") return "file"
    if (name == "DIR" || name == "FOLDER") return "folder"
    if (name == "TARGET" || name == "URI") return "target"
    if (name == "POLICY") return "policy"
    if (name == "NAME|FILE") return "plugin"
    if (name == "SCENARIO") return "file"
    if (name == "COMMAND") return "command"
    if (name == "VERB") return "verb"
    return "other"
}

# "table (the default), json, ndjson or name" lists all values there are; other
# texts none.
function words_of(text)
{
    gsub(/ \([^)]*\)/, "", text)
    if (text !~ /^[a-z0-9]+(, [a-z0-9]+)* or [a-z0-9]+$/) return ""
    gsub(/, | or /, " ", text)
    return text
}

function add_option(line,    at, names, name, text, takes, parts, n, i)
{
    sub(/^ */, "", line)
    at = match(line, /   *[^ ]/)
    name = at > 0 ? substr(line, 1, at - 1) : line
    text = at > 0 ? substr(line, at) : ""
    sub(/^ */, "", text)
    takes = "nothing"
    n = split(name, parts, ", ")
    names = ""
    name = ""
    for (i = 1; i <= n; i++) {
        at = index(parts[i], "=")
        if (at > 0) {
            name = substr(parts[i], at + 1)
            takes = "must"
            parts[i] = substr(parts[i], 1, at - 1)
            if (sub(/\[$/, "", parts[i])) {
                takes = "may"
                sub(/]$/, "", name)
            }
        }
        names = names (i > 1 ? " " : "") parts[i]
    }
    if (takes == "nothing") name = ""
    if (names ~ /--policy$/) name = "POLICY"
    printf "option\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", command, names, takes, \
        name, name == "" ? "" : kind_of(name), words_of(text), text
}

function add_argument(name)
{
    gsub(/[][]|\.\.\./, "", name)
    if (name ~ /^[A-Z|]+$/) {
        printf "argument\t%s\t%s\t%s\t%s\n", command, name, kind_of(name), \
            name == "SCENARIO" ? scenarios : ""
    }
}

BEGIN {
    printf "command\t%s\t%s\n", command, summary
}

FNR == 1 {
    n_arguments = split($0, arguments, " ")
    next
}

# What stands between the first paragraph and the options are scenarios.
/^  [a-z-]+$/ && !is_past { scenarios = scenarios (scenarios ? " " : "") $1 }
/^ +-/ && !is_past { add_option($0) }
/^(Mandatory or|Verbs:|Examples:)/ { is_past = 1 }

/^[^ ]/ || /^$/ { is_example = 0 }
is_example { printf "example\t%s\t%s\n", command, substr($0, 3) }
/^Examples:/ { is_example = 1 }

END {
    # Behind "Usage: muster COMMAND [OPTION...]".
    for (i = 4 + split(command, words, " "); i <= n_arguments; i++) {
        add_argument(arguments[i])
    }
}
