# SPDX-License-Identifier: Apache-2.0
# Makes a page for scdoc of core/TARGETS.md, of which the headings, paragraphs,
# indented lines and tables are understood.

# Code is bold; what scdoc would take for its own is escaped.
function text_of(markdown,    parts, n, i, result)
{
    gsub(/[\\*]/, "\\\\&", markdown)
    gsub(/_/, "\\_", markdown)
    n = split(markdown, parts, "`")
    for (i = 1; i <= n; i++) {
        result = result (i % 2 ? parts[i] : "*" parts[i] "*")
    }
    return result
}

function end_paragraph()
{
    # What is said of tests is for those who work on the code.
    if (paragraph !~ /tests\//) {
        printf "%s", paragraph
    }
    paragraph = ""
}

BEGIN {
    print "muster-targets(7) \"muster\" \"muster manual\"\n"
    print "# NAME\n\nmuster-targets - what the targets of muster look like\n"
}

/^# / { print "# DESCRIPTION"; next }
/^## / { end_paragraph(); print "# " toupper(substr($0, 4)); next }
/^\|[-| ]*$/ { next }

# A row: what is written, and below it what that means. No table: it would be
# too wide for a terminal.
/^\|/ {
    n = split($0, cells, / \| ?|^\| /)
    if (is_table++) {
        printf "%s\n\t%s\n\n", text_of(cells[2]), text_of(cells[3])
    } else {
        print "For example, and below it the canonical text, or the error:\n"
    }
    next
}

{ is_table = 0 }
/^    / { end_paragraph(); print "```\n" substr($0, 5) "\n```"; next }
/^$/ { end_paragraph(); print; next }
{ paragraph = paragraph text_of($0) "\n" }

END {
    end_paragraph()
    print "\n# SEE ALSO\n\n*muster*(1), *muster-resolve*(1), *muster-plugin*(7)"
}
