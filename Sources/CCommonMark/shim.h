// libcmark (Debian: libcmark-dev), the reference implementation of CommonMark.
#pragma once
#include <cmark.h>
