/* version - of everything in this tree. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define ROOST_VERSION "0.1"

#endif
