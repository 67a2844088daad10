# Completion of dedup for fish. The candidates come from the program itself: 'dedup complete'.

function __dedup_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l word (commandline --cut-at-cursor --current-token)
    for found in (command dedup complete -- $words[2..] "$word" 2>/dev/null)
        switch $found
            case '#files'
                __fish_complete_path $word
            case '#folders'
                __fish_complete_directories $word
            case '*'
                echo $found
        end
    end
end

complete --command dedup --no-files --arguments '(__dedup_complete)'
