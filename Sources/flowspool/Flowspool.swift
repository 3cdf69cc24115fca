import Spool
import Watcher
import ArgumentParser
import ServiceLifecycle
@main struct Flowspool: AsyncParsableCommand { func run() async throws {} }
