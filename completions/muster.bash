# bash completion of muster                                 -*- shell-script -*-
# SPDX-License-Identifier: Apache-2.0
# Made by completions/generate from what "muster --help" says.

# The names of what the plugins serve: "resolver" or "balancer".
_muster_classes()
{
    "${words[0]}" plugins -o ndjson 2>/dev/null |
        grep -o "\"$1:[^\"]*" | cut -d : -f 2 | sort -u
}

# What begins with cur, of lines on stdin.
_muster_take()
{
    local line
    while IFS= read -r line; do
        if [[ $line == "$cur"* ]]; then
            COMPREPLY+=("$line")
        fi
    done
}

_muster_take_targets()
{
    local path
    compopt -o nospace
    if [[ $cur == file:* ]]; then
        path=${cur#file:}
        path=/${path##+(/)}
        _muster_take < <(compgen -f -- "$path" | sed 's,^,file://,')
    else
        _muster_take < <(_muster_classes resolver | sed 's,$,:///,')
    fi
    __ltrim_colon_completions "$cur"
}

# All behind "--", of which the place is that among the words of readline.
_muster_take_command()
{
    local at=0
    while [[ ${COMP_WORDS[at]} != -- ]]; do
        at=$((at + 1))
    done
    _command_offset $((at + 1))
}

# _muster_complete KIND [WORD...]
_muster_complete()
{
    local kind=$1
    shift
    case $kind in
    file) _filedir ;;
    folder) _filedir -d ;;
    target) _muster_take_targets ;;
    policy) _muster_take < <(_muster_classes balancer) ;;
    plugin)
        _filedir
        _muster_take < <("${words[0]}" plugins -o name 2>/dev/null)
        ;;
    verb) _muster_take < <(tr ' ' '\n' <<<"$(_muster_names "")") ;;
    esac
    if (($# > 0)); then
        _muster_take < <(printf '%s\n' "$@")
    fi
}

_muster()
{
    local cur prev words cword split command="" n_arguments=0 at word value
    _init_completion -s -n : || return

    for ((at = 1; at < cword; at++)); do
        word=${words[at]}
        if [[ $word == -- ]]; then
            value=$(_muster_argument "$command $((n_arguments + 1))")
            [[ $value != command ]] || _muster_take_command
            return
        elif [[ $word == -* ]]; then
            value=$(_muster_value "$command $word")
            [[ $value != must* ]] || at=$((at + 1))
        elif [[ $n_arguments == 0 &&
            " $(_muster_names "$command") " == *" $word "* ]]; then
            command=${command:+$command }$word
        else
            n_arguments=$((n_arguments + 1))
        fi
    done

    value=$(_muster_value "$command $prev")
    if [[ $value == must* || ($value == may* && $split == true) ]]; then
        # shellcheck disable=SC2086
        _muster_complete ${value#* }
    elif [[ $cur == -* ]]; then
        _muster_take < <(tr ' ' '\n' <<<"$(_muster_options "$command")")
    else
        if ((n_arguments == 0)); then
            _muster_take < <(tr ' ' '\n' <<<"$(_muster_names "$command")")
        fi
        if [[ -z $(_muster_names "$command") ]]; then
            # shellcheck disable=SC2046
            _muster_complete $(_muster_argument "$command $((n_arguments + 1))")
        fi
    fi
} && complete -F _muster muster
