# fish completion of muster
# SPDX-License-Identifier: Apache-2.0
# Made by completions/generate from what "muster --help" says.

# The names of what the plugins serve: "resolver" or "balancer".
function __muster_classes
    set -l program (commandline -opc)[1]
    $program plugins -o ndjson 2>/dev/null |
        grep -o "\"$argv[1]:[^\"]*" | cut -d : -f 2 | sort -u
end

function __muster_plugins
    set -l program (commandline -opc)[1]
    $program plugins -o name 2>/dev/null
end

function __muster_targets
    set -l token (commandline -ct)
    if string match -q 'file:*' -- $token
        set -l path (string replace -r '^file:/*' / -- $token)
        set -l files $path*
        string replace -r '^' 'file://' -- $files
    else
        __muster_classes resolver | string replace -r '$' ':///'
    end
end

function __muster_verbs
    string match -v '* *' -- $__muster_commands
end

# Whether the command line so far has the verb, or verb and action, of $argv.
function __muster_is
    set -l command
    for token in (commandline -opc)[2..-1]
        if test "$token" = --
            return 1
        else if string match -q -- '-*' $token
            continue
        end
        set -l longer $command $token
        if not contains -- "$longer" $__muster_commands
            break
        end
        set command $longer
    end
    test "$command" = "$argv"
end

# What would be offered for all behind "--" alone.
function __muster_command_line
    set -l tokens (commandline -opc) (commandline -ct)
    if set -l at (contains -i -- -- $tokens)
        complete -C (string join ' ' -- $tokens[(math $at + 1)..-1])
    end
end

complete -c muster -f
complete -c muster -n 'contains -- -- (commandline -opc)' \
    -a '(__muster_command_line)'
