// The options that take a value, command by command, from the manual pages. Only commands that a rule or a wrapper reads.

extension CommandGrammar {
    static let rows: [(String, String)] = [
        // Wrappers: the first operand is the command that they run.
        ("sudo", "-u -g -h -p -C -r -t -T -D -R -U --user --group --host --prompt --chdir --chroot --role --type stop"),
        ("doas", "-u -C stop"), ("pkexec", "--user stop"), ("env", "-u -C -S --unset --chdir --split-string stop"),
        ("exec", "-a stop"), ("command|builtin|nohup|setsid|busybox|toybox|fakeroot|eatmydata|caffeinate", "stop"),
        ("time|gtime", "-f -o --format --output stop"), ("timeout|gtimeout", "-k -s --kill-after --signal stop"),
        ("nice", "-n --adjustment stop"), ("ionice", "-c -n --class --classdata stop"),
        ("stdbuf", "-i -o -e --input --output --error stop"), ("chrt", "-p -T -P -D stop"), ("taskset", "stop"),
        ("strace|ltrace", "-e -o -p -s -u -E -a -I -O -S stop"),
        ("flock", "-w -E --timeout --conflict-exit-code -c --command stop"),
        ("chroot", "--userspec --groups stop"), ("nsenter", "-t --target -S -G --setuid --setgid stop"),
        ("unshare", "--setgroups -S -G -R -w stop"), ("setpriv", "--reuid --regid --groups stop"),
        (
            "systemd-run",
            "-u -p -E -M -H -d --unit --property --setenv --uid --gid --description --slice --on-calendar"
                + " --on-active --working-directory --nice stop"
        ),
        ("systemd-inhibit", "--what --who --why --mode stop"), ("gosu|su-exec|s6-setuidgid|faketime", "stop"),
        ("su|runuser", "-c -s -g -G -w -u --command --shell --group --supp-group --user --whitelist-environment"),
        ("xvfb-run", "-n -s -e -f -p -w --server-args --server-num --error-file stop"), ("sshpass", "-p -f -d -P stop"),
        (
            "xargs",
            "-a -d -E -I -L -n -P -s --arg-file --delimiter --max-lines --max-args --max-procs --max-chars -i="
                + " -e= -l= stop"
        ),
        (
            "parallel",
            "-j -a -I -N -n -L -S --jobs --arg-file --colsep --delimiter --joblog --results --timeout --retries"
                + " --tagstring --sshlogin --workdir --delay --load -d -C stop"
        ),
        ("watch", "-n --interval -q stop"), ("script", "-c --command -I -O -B -T -m -E --log-out --log-in --log-io"),
        ("npx|bunx", "-p -c --package --call stop"), ("unbuffer|torsocks|proxychains|proxychains4|dotenvx|cross-env", "stop"),
        ("dotenv", "-f -e -c --file stop"), ("entr", "stop"), ("firejail|bwrap", "stop"), ("tini|dumb-init", "stop"),
        ("ssh", "-B -b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w stop"), ("autossh", "-M stop"),
        ("mosh", "--ssh -p stop"),
        // Interpreters.
        ("sh", " -o +o +O -O --rcfile --init-file stop"), ("fish", "-c -C --command --init-command stop"),
        ("python", "-c -m -W -X stop"), ("perl", "-e -E -I -M= -m= -i= -0= -F= -x= stop"), ("ruby", "-e -r -I -C stop"),
        ("php", "-r -d -c -f stop"),
        ("node", "-e -p -r --eval --print --require --import --loader --env-file --input-type stop"),
        ("deno|bun", "-e -p --eval --print stop"), ("go", "single -f -o -run -tags -ldflags -bench -count -timeout -mod"),
        ("awk", "-f -v -F -e -E --file --assign --field-separator --source"),
        ("osascript", "-e -l"), ("lua", "-e -l"), ("Rscript|R", "-e"),
        // Files.
        ("sed", "-e -f -l --expression --file --line-length -i="), ("truncate", "-s -r --size --reference"),
        ("shred", "-n -s --iterations --size --random-source"), ("chmod|chown|chgrp", "--reference --from"),
        ("cp|mv|ln", "-t -S --target-directory --suffix"),
        ("install", "-t -S -m -o -g --target-directory --suffix --mode --owner --group"), ("mkdir", "-m --mode"),
        ("mktemp", "-p --suffix"), ("touch", "-d -r -t --date --reference"), ("tee", ""), ("patch", "-p -i -d -o -B -D -F -r -V"),
        (
            "rsync",
            "-e -f -T -B --exclude --include --filter --rsh --exclude-from --include-from --files-from --backup-dir"
                + " --suffix --temp-dir --partial-dir --compare-dest --copy-dest --link-dest --rsync-path --chmod --chown --bwlimit"
                + " --max-size --min-size --timeout --port --log-file --password-file --out-format --info --debug --block-size"
                + " --usermap --groupmap --max-delete"
        ),
        ("scp", "-c -D -F -i -J -l -o -P -S -X"),
        (
            "tar|bsdtar",
            "-f -C -T -X -b -g -H -I --file --directory --files-from"
                + " --exclude --transform --strip-components --use-compress-program --owner --group --mode --exclude-from"
        ),
        ("unzip", "-d -x -P"), ("qemu-img", "-f -O -o -S -m -B -F -t -T -s --object"), ("dd", ""), ("setcap", ""),
        (
            "gpg|gpg2",
            "-o -u -r --output --homedir --recipient --local-user"
                + " --keyserver --recv-keys --passphrase --passphrase-file --passphrase-fd --pinentry-mode --options"
        ),
        (
            "curl",
            "-o -H -d -X -u -A -b -c -e -F -T -m -x -w -K -C -r -t -y -Y -z -E -U -D -Q -P --output --header --data"
                + " --data-raw --data-binary --data-urlencode --request --user --user-agent --cookie --cookie-jar --referer --form"
                + " --upload-file --max-time --proxy --write-out --config --continue-at --range --retry --retry-delay"
                + " --connect-timeout --cacert --cert --key --resolve --url --output-dir --json --retry-max-time --limit-rate"
                + " --dump-header --interface --form-string --max-redirs --proto --proto-redir --tls-max --ciphers --noproxy"
        ),
        (
            "wget",
            "-O -o -P -a -i -B -t -T -w -Q -A -R -D -U -e -l -X -I --output-document --output-file --append-output"
                + " --directory-prefix --input-file --base --tries --timeout --wait --quota --user-agent --header --post-data"
                + " --post-file --user --password --method --body-data --execute --referer --load-cookies --level"
        ),
        ("aria2c", "-o -d -x -s -j --out --dir"), ("split", "-a -b -C -l -n"), ("sponge", ""),
        // Git.
        ("git", "-C -c --git-dir --work-tree --namespace --super-prefix --config-env"),
        (
            "git commit",
            "-m -F -C -c -t --message --file --reuse-message --reedit-message --template --author --date --fixup"
                + " --squash --cleanup --trailer --pathspec-from-file -u= -S="
        ),
        (
            "git clone",
            "-b -o -u -c -j --branch --origin --upload-pack --config --jobs --depth --reference --shallow-since"
                + " --shallow-exclude --filter --template --separate-git-dir --bundle-uri"
        ),
        ("git push", "-o --push-option --repo --receive-pack --exec"),
        (
            "git tag",
            "-m -F -u --message --file --local-user"
                + " --cleanup --sort --format --points-at --contains --merged"
        ),
        ("git clean", "-e --exclude"), ("git checkout|git switch", "-b -B -c -C --orphan --conflict --pathspec-from-file"),
        ("git restore", "-s --source --conflict --pathspec-from-file"), ("git reset", "--pathspec-from-file"),
        ("git branch", "-u --set-upstream-to --sort --format --contains --no-contains --points-at"),
        ("git rebase", "-x -s -X -C --exec --strategy --strategy-option --onto --whitespace"),
        ("git merge", "-m -F -s -X --message --file --strategy --strategy-option --into-name"),
        ("git revert|git cherry-pick", "-m -s -X --mainline --strategy --strategy-option -S="),
        ("git stash", "-m --message --pathspec-from-file"), ("git notes", "-m -F -C -c --ref"),
        ("git fetch|git pull", "-o --depth --deepen --shallow-since --refmap --server-option -j --jobs --upload-pack"),
        ("git reflog", "--expire --expire-unreachable"),
        (
            "git log|git show",
            "-n --format --pretty --since --until --author"
                + " --grep -S -G -L"
        ),
        ("git submodule", "--branch -b --name --reference --depth -j --jobs"), ("git update-ref", "-m"),
        (
            "git filter-branch",
            "--tree-filter --index-filter --msg-filter --env-filter --commit-filter --parent-filter"
                + " --tag-name-filter --subdirectory-filter --setup -d"
        ), ("git bisect", ""),
        ("git worktree", "-b -B --reason --expire"),
        (
            "gh",
            "-R --repo --hostname -t -b -F -B -H -a -l -m -f -q -X --title --body --body-file --base --head --assignee"
                + " --label --milestone --field --jq --template --json --method --notes --notes-file --reviewer -r"
        ),
        // Containers and clusters.
        ("docker", "-H -c -l --format --host --context --log-level --config --tlscacert --tlscert --tlskey"),
        (
            "docker run|docker create|docker container run|docker container create",
            "-v -e -p -w -u -h -l -m -c -a --volume --env --publish --workdir --user --hostname --label --memory --name --network"
                + " --net --entrypoint --env-file --mount --add-host --cap-add --cap-drop --cpus --cidfile --device --dns --gpus"
                + " --health-cmd --ip --ipc --link --log-driver --log-opt --pid --platform --pull --restart --runtime"
                + " --security-opt --shm-size --stop-signal --tmpfs --ulimit --userns --uts --volumes-from --cgroupns"
                + " --label-file --expose --group-add --memory-swap --network-alias --oom-score-adj stop2"
        ),
        ("docker exec|docker container exec", "-e -u -w --env --env-file --user --workdir --detach-keys stop2"),
        ("docker compose", "-f -p --file --project-name --profile --env-file --project-directory --ansi --parallel --progress"),
        ("docker compose exec", "-e -u -w --env --user --workdir --index stop3"),
        ("docker compose run", "-e -u -w -v -p -l --env --user --workdir --volume --publish --name --entrypoint --label stop3"),
        ("docker compose down", "-t --timeout --rmi"),
        (
            "docker build|docker buildx",
            "-t -f --tag --file --build-arg --target"
                + " --platform --output -o --cache-from --cache-to --progress --secret --ssh --label --network --builder"
        ),
        ("docker ps|docker inspect|docker images|docker info|docker version", "-f -n --filter --format --last"),
        ("docker login", "-u -p --username --password"), ("docker stop|docker restart|docker kill", "-t -s --time --signal"),
        (
            "kubectl",
            "-n -f -l -o -c -k -s -L -p --namespace --filename --selector --output --container --kustomize --context"
                + " --cluster --user --kubeconfig --server --token --as --as-group --field-selector --timeout --grace-period"
                + " --replicas --image --patch --type --request-timeout --sort-by --template --tail --since"
                + " --limits --requests --env --port --from-literal --from-file --retries -v"
        ),
        ("kubectl exec|kubectl run|kubectl debug", "--pod-running-timeout --overrides --labels --image --env --port"),
        ("kubectl logs", "-c -l -n --tail --since"),
        (
            "helm",
            "-n -f -o --namespace --kube-context --kubeconfig --values --set"
                + " --set-string --set-file --set-json --version --timeout --repo --output --kube-token --kube-apiserver --description"
        ),
        ("terraform", "single"), ("pulumi", "-s --stack -C --cwd -m --message -t --target"),
        (
            "aws",
            "--profile --region --output --query --endpoint-url --exclude --include --stack-name --instance-ids --cluster"
                + " --name --bucket --key --db-instance-identifier --table-name --function-name --service --group-id --protocol"
                + " --port --cidr --capacity --desired-count"
        ),
        ("gcloud", "--project --zone --region --format --filter --account --configuration --command --location --cluster"),
        ("az", "-g -n --resource-group --name --subscription --query -o --output"),
        ("ansible", "-m -a -i -u -l -e -f --module-name --args --inventory --user --limit --extra-vars --forks"),
        ("vagrant", "-c --command"), ("conda|mamba|micromamba", "-n -p --name --prefix"),
        ("poetry|pipenv|uv|pdm|hatch|rye|bundle|pnpm|yarn|mise|direnv|doppler|op|devbox", ""),
        ("uv run", "--with --python -p --extra --group --project --directory --env-file --with-requirements stop2"),
        ("hatch", "-e --env"), ("poetry", "-C -P --directory --project"), ("aws-vault", "-d --duration --region"),
        ("lxc|incus|multipass", "-n"), ("heroku", "-a -r --app --remote"), ("fly|flyctl", "-a -C --app --command -s"),
        ("nix", "-c --command"), ("nix-shell", "-p --run --command -A"), ("ip", "-n -f -b --netns --family --batch"),
        // System.
        (
            "systemctl",
            "-H -M -t -p -n -s -o --host --machine --type --property --lines --signal --state --output --root --what"
                + " --kill-whom --kill-who --message --job-mode"
        ),
        ("pm2", "-n --name -i --instances"), ("supervisorctl", "-c -s -u -p --configuration --serverurl"),
        ("shutdown", ""), ("kill", "-s -n -q -L --signal --queue"),
        ("pkill|pgrep", "-u -U -g -G -P -s -t -F -d --signal --parent"),
        ("fuser", "-n"), ("crontab", "-u"),
        (
            "usermod|useradd",
            "-G -g -u -d -s -c -e -f -p -k -b --groups --gid --uid --home"
                + " --shell --comment --password --expiredate --base-dir"
        ), ("gpasswd", "-a -d -M -A --add --delete --members"),
        ("iptables", ""), ("nft", "-f --file -D --define -I --includepath"), ("firewall-cmd", "--zone --timeout"),
        ("sfdisk", "-N -O -w -W -X -Y -b -o --backup-file --output --label --move-data"),
        ("sgdisk", "-n -t -c -d -b -l -R -A -u"),
        ("fdisk", "-b -t -o -w -W -C -H -S --output"), ("parted", "-a --align"), ("wipefs", "-o -t -O --offset --types --output"),
        ("mkfs|mkfs.ext", "-t -L -b -I -N -O -E -m -i -U -T -d -g -G -J -C -M -o -r --type"),
        ("mkfs.vfat", "-n -F -s -S -i -r -R -b"),
        ("mkfs.xfs", "-L -b -d -i -l -m -n -p -r -s"), ("mdadm", "-n -l -c -x --raid-devices --level --chunk --metadata -e"),
        ("cryptsetup", "-c -h -s -d --cipher --hash --key-size --key-file --type --label"),
        ("apt", "-o -t -c --option --target-release --config-file --default-release"),
        (
            "yum",
            "-c -x --config --enablerepo"
                + " --disablerepo --exclude --releasever"
        ), ("zypper", "-R --root"), ("pacman", "-b -r"),
        ("sysctl", "-p="), ("ssh-keygen", "-t -b -f -N -C -P -m -I -n -O -V -z -E -R -F -s -r -Y"),
        // Databases.
        (
            "psql",
            "-c -f -d -h -p -U -v -o -F -R -T -P -L --command --file --dbname --host --port --username --set --variable"
                + " --output --field-separator --pset --log-file"
        ),
        (
            "mysql",
            "-e -h -P -u -D -S --execute --host --port --user --database --socket --defaults-file --defaults-extra-file"
                + " --protocol --ssl-ca --default-character-set -p="
        ),
        ("mysqladmin", "-h -P -u -S --host --port --user -p="), ("mysqldump", "-h -P -u -S -r --result-file -p="),
        ("sqlite3", "-cmd -init -separator -newline -nullvalue -vfs"), ("duckdb", "-c -cmd -init -separator"),
        ("redis-cli", "-h -p -s -a -u -n -r -i --user --pass --eval --pattern --cacert --cert --key -d"),
        ("mongosh", "-u -p --host --port --eval --username --password --authenticationDatabase --file -f"),
        ("clickhouse-client", "-q -h -u -d --query --host --port --user --password --database --queries-file"),
        ("cockroach", "-e --execute --host --url -d --database --certs-dir"), ("cqlsh", "-e -f -u -p -k --execute --file"),
        ("sqlcmd", "-S -U -P -d -Q -q -i -o -v"), ("bq", ""), ("snowsql", "-q -f -a -u -d -s -w -r"), ("sqlplus", ""),
        ("influx", "-execute -database -host -port -username -password single"),
        (
            "createdb|dropdb|dropuser",
            "-h -p -U --host --port --username --maintenance-db -O -T -E"
        ),
        (
            "pg_restore",
            "-d -h -p -U -j -t -n -T -F -f -L -I -P -S --dbname --host --port --username --jobs --table --schema"
                + " --file --format --use-list --role"
        ),
        ("cqlsh|usql|pgcli|mycli|litecli", "-e -c -f -u -U -h -p -P -d -D"),
        ("vim", "-c -S -s -u -i -w -W -T --cmd"), ("ed|ex", "-p -c"), ("emacs", "-l -f --load --eval --funcall"),
        ("less|more", "-p -P -x -b -h -j -k -o -t -y -z"), ("jq", " -f --indent"), ("grep", "-e -f -m -A -B -C -d -D"),
        ("find", "single"), ("nc|ncat", "-p -s -w -e -c -x -X -i"), ("openssl", "single"), ("make", "-C -f -I -j= -o -W"),
        ("at|batch", "-f -t -q"), ("tmux", "-c -f -L -S -T"),
        ("tmux new|tmux new-session|tmux neww|tmux new-window|tmux splitw|tmux split-window", "-s -n -c -t -x -y -e -F -f -l -p"),
        ("tmux send|tmux send-keys|tmux respawn-pane|tmux run-shell", "-t -N -b -c -d"),
        ("screen", "-S -c -e -h -p -s -T -t -L= -Logfile stop"),
        ("pdsh", "-w -x -l -u -t -f -g stop"), ("lxc-attach", "-n --name -P --lxcpath stop"), ("sg", "-c"),
        ("numactl", "-C -m -N -i -p stop"),
        ("chronic", "stop"), ("run0", "-u -g -D --user --group --unit --property --chdir --setenv --nice stop"), ("perf", ""),
        ("perf stat|perf record", "-e -o -p -t -C -r -I -F -c --output --event --repeat stop2"),
        ("tsx|ts-node", "-e -p --eval --print stop"),
        (
            "fd|fdfind",
            "-x -X -e -t -d -E -j -c -S -o --exec --exec-batch --extension --type --max-depth --exclude --base-directory"
        ),
        ("minikube", "-p -o --profile --output --format"), ("skopeo", "--format"),
        ("trivy", "-t -f -o -s --template --format --output --severity"),
        ("rclone", "--config --filter --include --exclude --transfers"),
        ("tee", ""), ("read", "-a -d -i -n -N -p -t -u"), ("mapfile|readarray", "-d -n -O -s -u -C -c"),
        ("certbot", "-d -m -w --email --domain --webroot-path --cert-name"), ("npm", "--prefix -w --workspace"),
    ]
}
