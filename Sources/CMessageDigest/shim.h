// libmd (Debian: libmd-dev), the message digests of the BSD systems; dpkg itself rests on it.
#pragma once
#include <sha2.h>
