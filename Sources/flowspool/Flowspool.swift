import ArgumentParser
import ServiceLifecycle
import Spool
import Watcher

@main struct Flowspool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flowspool", subcommands: [WatchCommand.self, ProfileCommand.self])
}
