#compdef muster
# SPDX-License-Identifier: Apache-2.0
# Made by completions/generate from what "muster --help" says.

# The names of what the plugins serve: "resolver" or "balancer".
_muster_classes()
{
    _call_program classes $_muster_program plugins -o ndjson 2>/dev/null |
        grep -o "\"$1:[^\"]*" | cut -d : -f 2 | sort -u
}

_muster_policies()
{
    local -a policies=(${(f)"$(_muster_classes balancer)"})
    _wanted policies expl policy compadd -a policies
}

_muster_targets()
{
    local -a schemes
    if compset -P 'file:'; then
        compset -P '//'
        _files
        return
    fi
    schemes=(${^${(f)"$(_muster_classes resolver)"}}:///)
    _wanted targets expl target compadd -S '' -a schemes
}

_muster_plugins()
{
    local names=$(
        _call_program plugins $_muster_program plugins -o name 2>/dev/null)
    local -a plugins=(${(f)names})
    _wanted plugins expl plugin compadd -a plugins
    _files
}

_muster_words_or_files()
{
    _wanted names expl name compadd -- "$@"
    _files
}

_muster()
{
    local _muster_program=$words[1]
    _muster_command
}
