/* Folders of a run: files copied into them whole. */
#ifndef R1I_TRAIN_FOLDER_H
#define R1I_TRAIN_FOLDER_H

#include "base/error.h"

/* The file `from` as folder/name, written aside and renamed. */
r1_status r1i_folder_copy(const char *from, const char *folder, const char *name, r1_error *err);
/* A folder of files with all that is in it; one that is not there is no error. */
r1_status r1i_folder_remove(const char *path, r1_error *err);

#endif
