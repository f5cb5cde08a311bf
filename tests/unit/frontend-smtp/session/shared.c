/* shared - the map from the unit tests of the route. */
#include "unit/frontend-smtp/route/fakemap.c"
