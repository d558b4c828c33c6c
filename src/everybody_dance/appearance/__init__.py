"""True pictures of the person: the limb bank (the puppet) and the crop bank (the references)."""
