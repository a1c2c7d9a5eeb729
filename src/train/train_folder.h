/* Folders of a run: made if missing, files copied into them whole. */
#ifndef R1I_TRAIN_FOLDER_H
#define R1I_TRAIN_FOLDER_H

#include "base/error.h"

/* R1_ERR_IO: cannot be made, or something else bears the name. */
r1_status r1i_folder_make(const char *path, r1_error *err);
/* The file `from` as folder/name, written aside and renamed. */
r1_status r1i_folder_copy(const char *from, const char *folder, const char *name, r1_error *err);

#endif
