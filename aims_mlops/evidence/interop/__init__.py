"""What we recorded, in the forms that other tools read. A copy with less in it: nothing of ours decides from one."""
