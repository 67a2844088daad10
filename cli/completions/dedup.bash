# Completion of dedup for bash. The candidates come from the program itself: 'dedup complete'.

_dedup() {
    local line=${COMP_LINE:0:COMP_POINT} word=${COMP_WORDS[COMP_CWORD]} found
    COMPREPLY=()
    # What bash takes for words of their own is not part of the word that it completes.
    [[ $word == [=:] ]] && word=
    while IFS= read -r found; do
        case $found in
            '#files')
                compopt -o filenames
                while IFS= read -r found; do COMPREPLY+=("$found"); done < <(compgen -f -- "$word")
                ;;
            '#folders')
                compopt -o filenames
                while IFS= read -r found; do COMPREPLY+=("$found"); done < <(compgen -d -- "$word")
                ;;
            *)
                COMPREPLY+=("${found%%$'\t'*}")
                ;;
        esac
    done < <(command dedup complete --line "$line" 2>/dev/null)
}

complete -F _dedup dedup
