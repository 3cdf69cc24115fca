// Which source a folder gets. The choice is made once, by what the folder's filesystem is now.

/// Starts to watch `folder`, an existing folder: with inotify, or by polling where its filesystem announces nothing.
///
/// - Parameter poll: true to poll, false to use inotify whatever the filesystem; nil (the default) to choose by it.
/// - Parameter receiver: gets each hint at once, the first before this returns; nil: they wait in `events`.
/// - Throws: ``WatcherError``. inotify limits that are used up are an error and never a silent change to polling: its hint
///   says that polling is possible.
public func makeEventSource(
    folder: String, poll: Bool? = nil, options: WatchOptions = WatchOptions(), receiver: HintReceiver? = nil
) throws(WatcherError) -> any EventSource {
    let mustPoll: Bool
    if let poll { mustPoll = poll } else { mustPoll = try !FilesystemKind(ofFolder: folder).announcesChanges }
    if mustPoll { return try PollingEventSource(folder: folder, options: options, receiver: receiver) }
    return try InotifyEventSource(folder: folder, options: options, receiver: receiver)
}
