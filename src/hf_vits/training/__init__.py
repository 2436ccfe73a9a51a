"""What only training needs: batches, the generator's pass, and the terms that it learns from."""
