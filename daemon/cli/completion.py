"""`camshaft completion`: scripts for shells, and the words that they ask for at each TAB."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from daemon.cli.complete import candidates
from daemon.cli.output import clean, write

app = App(name="completion", help="Print a script that completes commands, options and keys in a shell.")

# Each script asks `camshaft completion words`: what can stand at the end of a line is known to the commands alone.
BASH = r"""# camshaft's completion for bash. In ~/.bashrc: eval "$(camshaft completion bash)"
_camshaft() {
    local current=${COMP_WORDS[COMP_CWORD]} line found=()
    mapfile -t found < <(camshaft completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    COMPREPLY=()
    [[ $current == = ]] && current=
    case ${found[0]:-} in
        :files) mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames 2>/dev/null ;;
        :folders) mapfile -t COMPREPLY < <(compgen -d -- "$current"); compopt -o filenames 2>/dev/null ;;
        *) for line in "${found[@]}"; do COMPREPLY+=("${line%%$'\t'*}"); done ;;
    esac
}
complete -F _camshaft camshaft
"""

ZSH = r"""#compdef camshaft
# camshaft's completion for zsh. In ~/.zshrc, after compinit: eval "$(camshaft completion zsh)"
_camshaft() {
    local -a found described
    local line word rest
    found=("${(@f)$(camshaft completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    case ${found[1]} in
        :files) _files ;;
        :folders) _files -/ ;;
        *)
            for line in $found; do
                word=${line%%$'\t'*} rest=${line#$word}
                described+=("${word//:/\\:}${rest/$'\t'/:}")
            done
            _describe camshaft described
            ;;
    esac
}
compdef _camshaft camshaft
"""

FISH = r"""# camshaft's completion for fish. In ~/.config/fish/config.fish: camshaft completion fish | source
function __camshaft_words
    set -l given (commandline -opc) (commandline -ct)
    set -l found (camshaft completion words -- $given[2..-1] 2>/dev/null)
    switch "$found[1]"
        case :files
            __fish_complete_path (commandline -ct)
        case :folders
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\n' $found
    end
end
complete -c camshaft -f -a '(__camshaft_words)'
"""


@app.command
def bash() -> None:
    """For bash: eval "$(camshaft completion bash)" in ~/.bashrc."""
    write(BASH.rstrip())


@app.command
def zsh() -> None:
    """For zsh: eval "$(camshaft completion zsh)" in ~/.zshrc, after compinit."""
    write(ZSH.rstrip())


@app.command
def fish() -> None:
    """For fish: camshaft completion fish | source in config.fish."""
    write(FISH.rstrip())


@app.command
def words(*given: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """What the scripts ask: the words of a line after `camshaft`, the last of them begun; one candidate a line, with its help."""
    for word, said in candidates(list(given)):
        write(f"{clean(word)}\t{clean(said)}" if said else clean(word))
