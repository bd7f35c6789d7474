"""A package, so that it is found before the one of this name that linkpreview (a dependency of neonize) installs."""
