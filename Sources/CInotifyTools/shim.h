// libinotifytools (Debian: libinotifytools0-dev) ships no .pc file, so the module map links it by name.
#pragma once
#include <inotifytools/inotify.h>
#include <inotifytools/inotifytools.h>
