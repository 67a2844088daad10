#compdef dedup
# Completion of dedup for zsh. The candidates come from the program itself: 'dedup complete'.

_dedup() {
    local found files=
    local -a described
    while IFS= read -r found; do
        case $found in
            '#files') files=files ;;
            '#folders') files=folders ;;
            *) described+=("${${found%%$'\t'*}//:/\\:}:${found#*$'\t'}") ;;
        esac
    done < <(command dedup complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    (( $#described )) && _describe -V 'dedup' described
    case $files in
        files) _files ;;
        folders) _files -/ ;;
    esac
}

if [ "$funcstack[1]" = _dedup ]; then
    _dedup "$@"
else
    compdef _dedup dedup
fi
