// Rules about tools: git, clusters and clouds, databases.

extension RuleTable {
    private static let gitAdvice = "Commit or stash first, or waive this with a reason; what it throws away is not kept"

    static let git: [Rule] = [
        Rule(
            "git-reset", .destructiveGit, "git reset", when: .option("--hard --merge"), "throws away uncommitted changes",
            advice: gitAdvice),
        Rule(
            "git-clean", .destructiveGit, "git clean",
            when: .any([
                .option("-f --force"), .optionValue("^-c", .like("clean.requireForce=false clean.requireforce=false")),
            ]), unless: .option("-n --dry-run"), "deletes untracked files", advice: "Look at it with -n first"),
        Rule(
            "git-checkout-force", .destructiveGit, "git checkout|switch", when: .option("-f --force --discard-changes"),
            "throws away uncommitted changes", advice: gitAdvice),
        Rule(
            "git-checkout-paths", .destructiveGit, "git checkout",
            when: .any([
                .dashedOperands, .firstOperand(.like(". ./ :/ :/. ..")), .firstOperand(.wildcard),
                .all([.operands(2), .not(.option("-b -B --orphan -t --track --detach -d"))]),
                .option("--pathspec-from-file"),
            ]), unless: .option("-p --patch --ours --theirs -b -B --orphan"), "overwrites files with a committed version",
            advice: gitAdvice),
        Rule(
            "git-restore", .destructiveGit, "git restore",
            when: .any([.not(.option("-S --staged")), .option("-W --worktree")]),
            unless: .option("-p --patch"), "throws away uncommitted changes", advice: gitAdvice),
        Rule(
            "git-branch-delete", .destructiveGit, "git branch",
            when: .any([.option("-D"), .all([.option("-d --delete"), .option("-f --force")])]),
            "deletes a branch, merged or not", advice: "Use -d, which refuses to lose commits"),
        Rule(
            "git-branch-force", .destructiveGit, "git branch", when: .option("-f --force -M -C"),
            unless: .option("-d --delete -D -m --move"), "moves a branch that may be there",
            advice: "Make a new branch, or waive this with a reason"),
        Rule(
            "git-read-tree", .destructiveGit, "git read-tree", when: .option("--reset"), unless: .option("-n --dry-run"),
            "throws away uncommitted changes", advice: gitAdvice),
        Rule(
            "git-checkout-index", .destructiveGit, "git checkout-index", when: .option("-f --force"),
            "overwrites files with a committed version", advice: gitAdvice),
        Rule(
            "hosted-delete", .destructiveGit, "gh|glab repo|release delete|archive", "deletes a repository or a release",
            advice: "Leave it to a person, or waive this with a reason"),
        Rule(
            "gh-api-delete", .destructiveGit, "gh api", when: .optionValue("-X --method", .like("DELETE delete")),
            "deletes something of a repository", advice: "Leave it to a person, or waive this with a reason"),
        Rule(
            "hg-clean", .destructiveGit, "hg update|up|checkout|co|revert|purge", when: .option("-C --clean --no-backup --all"),
            "throws away uncommitted changes", advice: gitAdvice),
        Rule(
            "svn-revert", .destructiveGit, "svn revert|cleanup", when: .option("-R --recursive --remove-unversioned"),
            "throws away uncommitted changes", advice: gitAdvice),
        Rule(
            "git-stash", .destructiveGit, "git stash drop|clear", "deletes stashed changes", advice: gitAdvice),
        Rule(
            "git-reflog", .destructiveGit, "git reflog expire|delete", unless: .option("-n --dry-run"),
            "deletes what could bring lost commits back", advice: gitAdvice),
        Rule(
            "git-prune", .destructiveGit, "git gc|prune",
            when: .any([.optionValue("--prune --expire", .like("now all")), .firstOperand(.like("none"))]),
            unless: .option("-n --dry-run"), "deletes what could bring lost commits back", advice: gitAdvice),
        Rule(
            "git-rewrite", .destructiveGit, "git filter-branch|filter-repo", unless: .option("--dry-run --analyze"),
            "rewrites the history", advice: "Work in a fresh clone"),
        Rule(
            "git-filter-repo", .destructiveGit, "git-filter-repo|bfg", unless: .option("--dry-run --analyze"),
            "rewrites the history", advice: "Work in a fresh clone"),
        Rule(
            "git-update-ref", .destructiveGit, "git update-ref", when: .option("-d"), "deletes a reference", advice: gitAdvice),
        Rule(
            "git-rm", .destructiveGit, "git rm", when: .option("-f --force"), unless: .option("--cached -n --dry-run"),
            "deletes files with their uncommitted changes", advice: gitAdvice),
        Rule(
            "git-worktree", .destructiveGit, "git worktree remove", when: .option("-f --force"),
            "throws away uncommitted changes of a worktree", advice: gitAdvice),
        Rule(
            "git-submodule", .destructiveGit, "git submodule deinit", when: .option("-f --force --all"),
            "throws away uncommitted changes of a submodule", advice: gitAdvice),
        Rule(
            "git-submodule-update", .destructiveGit, "git submodule update", when: .option("-f --force"),
            "throws away uncommitted changes of a submodule", advice: gitAdvice),
        Rule(
            "git-push-force", .forcePush, "git push",
            when: .any([
                .option("-f --force --force-with-lease --force-if-includes -d --delete --mirror --prune"),
                .operand(.like("+* :?*")),
            ]), unless: .option("-n --dry-run"), "overwrites or deletes a branch of the remote",
            advice: "Push to a new branch, or waive this with a reason"),
        Rule(
            "gh-delete", .forcePush, "gh repo sync", when: .option("--force"), "overwrites a branch of the remote",
            advice: "Push to a new branch, or waive this with a reason"),
    ]

    private static let clusterAdvice = "Look at it with a dry run or a plan first, or waive this with a reason"

    static let clusters: [Rule] = [
        Rule(
            "kubectl-delete", .destructiveCluster, "kubectl delete|drain", unless: kubectlDryRun,
            "deletes objects of a cluster", advice: clusterAdvice),
        Rule(
            "kubectl-replace", .destructiveCluster, "kubectl replace", when: .option("--force"), unless: kubectlDryRun,
            "deletes objects of a cluster", advice: clusterAdvice),
        Rule(
            "kubectl-prune", .destructiveCluster, "kubectl apply", when: .option("--prune"), unless: kubectlDryRun,
            "deletes objects of a cluster", advice: clusterAdvice),
        Rule(
            "helm", .destructiveCluster, "helm uninstall|delete|del|un", unless: kubectlDryRun,
            "removes a release from a cluster", advice: clusterAdvice),
        Rule(
            "helmfile", .destructiveCluster, "helmfile destroy|delete", "removes releases from a cluster", advice: clusterAdvice),
        Rule(
            "terraform-destroy", .destructiveCluster, "terraform destroy", unless: .option("-help --help"),
            "destroys infrastructure", advice: clusterAdvice),
        Rule(
            "terragrunt-all", .destructiveCluster, "terraform run-all|run destroy", "destroys infrastructure",
            advice: clusterAdvice),
        Rule(
            "terraform-apply", .destructiveCluster, "terraform apply",
            when: .any([
                .option("-auto-approve --auto-approve -destroy --destroy"), .operands(1), .not(.terminalInput),
            ]), unless: .optionValue("-auto-approve --auto-approve", .like("false")),
            "changes infrastructure without asking", advice: clusterAdvice),
        Rule(
            "terragrunt-apply-all", .destructiveCluster, "terraform run-all apply", "changes infrastructure without asking",
            advice: clusterAdvice),
        Rule(
            "terraform-state", .destructiveCluster, "terraform state rm|push", unless: .option("-dry-run --dry-run"),
            "makes terraform forget infrastructure", advice: clusterAdvice),
        Rule(
            "terraform-workspace", .destructiveCluster, "terraform workspace delete", "deletes a workspace",
            advice: clusterAdvice),
        Rule(
            "pulumi", .destructiveCluster, "pulumi destroy", unless: .option("--preview-only"), "destroys infrastructure",
            advice: clusterAdvice),
        Rule(
            "pulumi-up", .destructiveCluster, "pulumi up|update", when: .option("-y --yes -f --skip-preview"),
            "changes infrastructure without asking", advice: clusterAdvice),
        Rule(
            "stack-delete", .destructiveCluster, "cdk|cdktf|sam|serverless|sls|copilot|amplify destroy|delete|remove",
            "destroys infrastructure", advice: clusterAdvice),
        Rule(
            "cluster-delete", .destructiveCluster, "kind|eksctl|k3d|minikube|kops|kubeadm|k0s|talosctl|ctlptl",
            when: .firstOperand(.like("delete reset destroy")), unless: .option("--dry-run"), "deletes a cluster",
            advice: clusterAdvice),
        Rule(
            "cluster-tools", .destructiveCluster, "flux|istioctl|argocd|velero|linkerd|cilium|rancher|crossplane",
            when: .operand(.like("delete uninstall destroy")), unless: .option("--dry-run"), "deletes objects of a cluster",
            advice: clusterAdvice),
        Rule(
            "aws-delete", .destructiveCluster, "aws",
            when: .operand(.like("delete-* terminate-* deregister-* remove-* batch-delete-* schedule-key-deletion")),
            unless: .option("--dry-run"),
            "deletes cloud resources", advice: clusterAdvice),
        Rule(
            "cloud-delete", .destructiveCluster, "gcloud|az|doctl|hcloud|linode-cli|openstack|ibmcloud|oci|fly|flyctl|heroku|scw",
            when: .operand(.like("delete delete-* destroy apps:destroy purge terminate")),
            unless: .any([.firstOperand(.like("help")), .operand(.like("firewall-rules"))]), "deletes cloud resources",
            advice: clusterAdvice),
        Rule(
            "edge-delete", .destructiveCluster, "wrangler|netlify|vercel", when: .operand(.like("delete sites:delete rm remove")),
            unless: .option("--dry-run --help"), "deletes cloud resources", advice: clusterAdvice),
        Rule(
            "vault-delete", .destructiveCluster, "vault kv|secrets|policy|auth destroy|delete|disable|metadata",
            unless: .operand(.like("get")), "deletes secrets", advice: clusterAdvice),
        Rule(
            "consul-delete", .destructiveCluster, "consul kv delete", "deletes keys", advice: clusterAdvice),
        Rule(
            "docker-swarm", .destructiveCluster, "docker swarm leave", when: .option("-f --force"),
            "takes a node out of its cluster", advice: clusterAdvice),
    ]

    private static let kubectlDryRun = RuleCondition.all([
        .option("--dry-run"), .not(.optionValue("--dry-run", .like("none false"))),
    ])

    private static let databaseAdvice = "Take a dump first, narrow the statement with WHERE, or waive this with a reason"

    static let databases: [Rule] = [
        Rule(
            "sql", .destructiveDB,
            "psql|mysql|sqlite3|duckdb|clickhouse-client|cockroach|cqlsh|sqlcmd|bq|snowsql|sqlplus|influx|usql|pgcli|mycli|litecli"
                + "|mysqlsh|athena|trino|presto|hive|beeline|spark-sql|wrangler|turso|prisma|isql|dbmate|cockroach",
            when: .destructiveSQL, "drops, empties or overwrites tables", advice: databaseAdvice),
        Rule(
            "redis-flush", .destructiveDB, "redis-cli",
            when: .any([
                .operand(.like("flushall FLUSHALL FlushAll flushdb FLUSHDB FlushDB")), .destructiveSQL,
                .all([.handedOn, .firstOperand(.like("del DEL unlink UNLINK"))]),
            ]),
            "empties a redis database", advice: databaseAdvice),
        Rule(
            "mongo", .destructiveDB, "mongosh", when: .destructiveSQL, "drops or empties collections", advice: databaseAdvice),
        Rule(
            "dropdb", .destructiveDB, "dropdb", unless: .option("--help -V --version"), "drops a database",
            advice: databaseAdvice),
        Rule(
            "mysqladmin", .destructiveDB, "mysqladmin drop", "drops a database", advice: databaseAdvice),
        Rule(
            "pg-restore", .destructiveDB, "pg_restore", when: .option("-c --clean"), "drops tables before it restores them",
            advice: databaseAdvice),
        Rule(
            "mongorestore", .destructiveDB, "mongorestore", when: .option("--drop"), unless: .option("--dryRun"),
            "drops collections before it restores them", advice: databaseAdvice),
        Rule(
            "framework-drop", .destructiveDB, "rails|rake",
            when: .operand(
                .like("db:drop db:reset db:purge db:schema:load db:migrate:reset db:truncate_all db:drop:* db:reset:*")),
            "drops a database", advice: databaseAdvice),
        Rule(
            "artisan", .destructiveDB, "artisan",
            when: .firstOperand(.like("migrate:fresh migrate:reset db:wipe migrate:refresh")),
            "drops all tables", advice: databaseAdvice),
        Rule(
            "django", .destructiveDB, "manage.py", when: .firstOperand(.like("flush reset_db dropdb")),
            "empties a database", advice: databaseAdvice),
        Rule(
            "prisma", .destructiveDB, "prisma",
            when: .any([
                .all([.firstOperand(.like("migrate")), .operand(.like("reset"))]),
                .option("--force-reset --accept-data-loss"),
            ]), "drops a database", advice: databaseAdvice),
        Rule(
            "migrations", .destructiveDB, "sequelize|sequelize-cli|typeorm|knex|drizzle-kit|dbmate|mikro-orm",
            when: .operand(.like("db:drop schema:drop db:migrate:undo:all drop migration:drop")), "drops a database",
            advice: databaseAdvice),
        Rule(
            "alembic", .destructiveDB, "alembic downgrade", when: .operand(.like("base")), "drops all tables",
            advice: databaseAdvice),
        Rule(
            "flask-downgrade", .destructiveDB, "flask db downgrade", when: .operand(.like("base")), "drops all tables",
            advice: databaseAdvice),
        Rule(
            "mix", .destructiveDB, "mix", when: .firstOperand(.like("ecto.drop ecto.reset ash.reset")), "drops a database",
            advice: databaseAdvice),
        Rule(
            "doctrine", .destructiveDB, "console",
            when: .firstOperand(.like("doctrine:database:drop doctrine:schema:drop d:d:d d:s:d")), "drops a database",
            advice: databaseAdvice),
        Rule(
            "dotnet-ef", .destructiveDB, "dotnet ef database drop", unless: .option("--dry-run"), "drops a database",
            advice: databaseAdvice),
        Rule(
            "wp-db", .destructiveDB, "wp db reset|drop|clean", "drops a database", advice: databaseAdvice),
        Rule(
            "drush", .destructiveDB, "drush sql:drop|sql-drop|site:install|si", "drops a database", advice: databaseAdvice),
        Rule(
            "flyway", .destructiveDB, "flyway", when: .operand(.like("clean")), "drops all tables", advice: databaseAdvice),
        Rule(
            "liquibase", .destructiveDB, "liquibase", when: .operand(.like("drop-all dropAll")), "drops all tables",
            advice: databaseAdvice),
        Rule(
            "django-admin", .destructiveDB, "django-admin", when: .firstOperand(.like("flush")), "empties a database",
            advice: databaseAdvice),
        Rule(
            "supabase", .destructiveDB, "supabase db reset", "drops a database", advice: databaseAdvice),
        Rule(
            "heroku-pg", .destructiveDB, "heroku", when: .firstOperand(.like("pg:reset pg:destroy")), "drops a database",
            advice: databaseAdvice),
        Rule(
            "bq-rm", .destructiveDB, "bq rm", "drops tables", advice: databaseAdvice),
        Rule(
            "influx-delete", .destructiveDB, "influx bucket|delete delete", "deletes a bucket", advice: databaseAdvice),
        Rule(
            "elastic-delete", .destructiveDB, "curl",
            when: .all([.optionValue("-X --request", .like("DELETE")), .operand(.like("*:9200/*"))]), "deletes an index",
            advice: databaseAdvice),
        Rule(
            "etcd", .destructiveDB, "etcdctl del", "deletes keys", advice: databaseAdvice),
        Rule(
            "firestore", .destructiveDB, "firebase firestore:delete", "deletes documents", advice: databaseAdvice),
    ]
}
